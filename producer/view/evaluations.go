package view

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
)

// Evaluations are what a validator's steps after the scoring read of a round:
// each miner's figures, pull requests with their files, and scoring issues.
type Evaluations struct {
	Round    string    `json:"round"`
	Revision int       `json:"revision"`
	AsOf     time.Time `json:"as_of"`
	// Miners are ordered by uid. What explains a figure and is no figure is left
	// out: a miner's own answer has it.
	Miners []scoring.MinerOutcome `json:"miners"`
}

// readAtOnce is how many evaluations are in memory at the same time. Each has all files of
// a miner.
const readAtOnce = 4

// EvaluationsOf adds files and bodies to the pull requests of a round's miners. Pull
// requests that come from a stored evaluation have none: the validator does not keep theirs
// either.
func EvaluationsOf(ctx context.Context, bus *jobstream.Bus, r outcome.Result) (Evaluations, error) {
	a := Evaluations{
		Round:    r.Round,
		Revision: r.Revision,
		AsOf:     r.AsOf.UTC(),
		Miners:   r.Outcome.Miners,
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readAtOnce)
	for i := range a.Miners {
		m := &a.Miners[i]
		m.Dropped, m.Issues = nil, nil
		group.Go(func() error { return putFiles(ctx, bus, &r, m) })
	}
	return a, group.Wait()
}

// putFiles adds to each pull request its body, and its files with their scores.
func putFiles(ctx context.Context, bus *jobstream.Bus, r *outcome.Result, m *scoring.MinerOutcome) error {
	for i := range m.PullRequests {
		m.PullRequests[i].Reasons = scoring.PullReasons{}
	}
	if m.FromStored || len(m.PullRequests) == 0 {
		return nil
	}
	evaluation, err := evaluationOf(ctx, bus, r, m.UID)
	if _, damaged := errors.AsType[*jobstream.ValueError](err); damaged || errors.Is(err, jobstream.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range m.PullRequests {
		pull := &m.PullRequests[i].ScoredPullRequest
		found := sameContent(&evaluation, pull)
		if found == nil {
			continue
		}
		pull.Tokens = found.Tokens
		if pull.Listed != nil && found.Listed != nil {
			pull.Listed.Body = found.Listed.Body
		}
	}
	return nil
}
