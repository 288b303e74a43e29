package outcome

import (
	"time"

	"mirrorfleet/shared/job"
)

// AllIssues is what came of the mirror's one answer on all issues, which the round's
// own jobs went by; replays do not.
type AllIssues struct {
	// Unused is why each miner's issues were asked for instead; "" when the answer
	// was used.
	Unused      string    `json:"unused,omitempty"`
	GeneratedAt time.Time `json:"generated_at,omitzero"`
	Requests    int       `json:"requests"`
	// Jobs counts those that went by the answer, Quiet those of them of which it left
	// no request for issues at all.
	Jobs  int `json:"jobs"`
	Quiet int `json:"quiet"`
	// Rows are all rows of the answer, Unreadable those that were skipped, and
	// Malformed the first of these.
	Rows       int             `json:"rows"`
	Unreadable int             `json:"unreadable,omitempty"`
	Malformed  []job.Malformed `json:"malformed,omitempty"`
}

// AllIssuesOf is what a round's manifest has of the answer, nil for nothing.
func AllIssuesOf(m job.Manifest) *AllIssues {
	if m.AllIssues == nil {
		return nil
	}
	all := &AllIssues{
		Unused:      m.AllIssues.Unused,
		GeneratedAt: m.AllIssues.GeneratedAt,
		Requests:    m.AllIssues.Requests,
		Rows:        m.AllIssues.Rows,
		Unreadable:  m.AllIssues.Unreadable,
		Malformed:   m.AllIssues.Malformed,
	}
	for _, j := range m.Jobs() {
		if known, ok := m.Issues(j); ok {
			if all.Jobs++; !known.Inside {
				all.Quiet++
			}
		}
	}
	return all
}
