package job

import "time"

// AllIssues is what a round has taken, when it was planned, from the mirror's one
// answer on the issues of all authors.
type AllIssues struct {
	// Unused is why workers go by each miner's own answers instead; "" when they go
	// by this one.
	Unused string `json:"unused,omitempty"`
	// GeneratedAt is when the mirror made the answer, as far as one was read.
	GeneratedAt time.Time `json:"generated_at,omitzero"`
	// Requests counts what was sent for it, retries included.
	Requests int `json:"requests"`
	// Rows are all rows of the answer, Unreadable those of them that were skipped
	// because they could not be read, and Malformed the first of these.
	Rows       int         `json:"rows,omitempty"`
	Unreadable int         `json:"unreadable,omitempty"`
	Malformed  []Malformed `json:"malformed,omitempty"`
	// Miners are by GitHub id. A miner that is not here is asked for as if there
	// were no answer: one of its rows could not be read.
	Miners map[string]MinerIssues `json:"miners,omitempty"`
}

// MinerIssues is what the answer says of one miner.
type MinerIssues struct {
	// Open counts its open issues in each repository of the registry.
	Open map[string]int `json:"open,omitempty"`
	// Inside says that one of its issues lies inside the round's windows: only then
	// has the mirror any to list for them.
	Inside bool `json:"inside,omitempty"`
}

// Issues is what the round knows of the miner's issues. A replay knows nothing: it is
// later, and asks again.
func (m Manifest) Issues(j Job) (MinerIssues, bool) {
	if m.AllIssues == nil || m.AllIssues.Unused != "" || j.Replay > 0 {
		return MinerIssues{}, false
	}
	known, ok := m.AllIssues.Miners[j.GitHubID]
	return known, ok
}
