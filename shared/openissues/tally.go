package openissues

import (
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// Tally counts the rows of the answer for a round's miners. It uses no clock, network or
// disk.
type Tally struct {
	registry input.Registry
	windows  map[string]time.Time
	of       map[string]*job.MinerIssues // nil: a row of the miner cannot be read
}

// NewTally counts for a round's miners, by their GitHub ids.
func NewTally(registry input.Registry, asOf time.Time, ids []string) *Tally {
	t := &Tally{registry: registry, windows: registry.Windows(asOf), of: make(map[string]*job.MinerIssues, len(ids))}
	for _, id := range ids {
		t.of[id] = &job.MinerIssues{}
	}
	return t
}

// Add counts a row. err is set for a row that cannot be read; row then holds what could be
// read of it.
func (t *Tally) Add(row scoring.IssueRow, err error) {
	known, asked := t.of[row.AuthorID]
	switch {
	case !asked || known == nil || row.AuthorID == "": // an issue without an author is in no miner's list
		return
	case err != nil:
		t.of[row.AuthorID] = nil
		return
	}
	known.Inside = known.Inside || row.Inside(t.registry, t.windows)
	if repository, found := t.registry.Repository(row.Repository); found && row.State == scoring.Open {
		if known.Open == nil {
			known.Open = map[string]int{}
		}
		known.Open[repository.Name]++
	}
}

// Miners are the counts of the miners whose rows could all be read, by GitHub id.
func (t *Tally) Miners() map[string]job.MinerIssues {
	miners := make(map[string]job.MinerIssues, len(t.of))
	for id, known := range t.of {
		if known != nil && id != "" {
			miners[id] = *known
		}
	}
	return miners
}
