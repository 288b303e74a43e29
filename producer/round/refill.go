package round

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// refill restores stored evaluations that the last concluded round has left and that are
// gone or unreadable now. They are computed again from what is kept of that round. If that
// is incomplete too, they stay lost, and this round begins without them.
func (w *work) refill(ctx context.Context, stored map[int]scoring.StoredEvaluation) (did bool, err error) {
	concluded, err := w.cfg.Bus.Rounds.Concluded(ctx)
	if err != nil {
		return false, fmt.Errorf("looking for the last concluded round: %w", err)
	}
	if len(concluded) == 0 {
		return false, nil
	}
	last, err := outcome.Latest(ctx, w.cfg.Bus, concluded[len(concluded)-1])
	if err == nil && !lacks(stored, last) {
		return false, nil
	}
	var m job.Manifest
	var left map[int]scoring.StoredEvaluation
	if err == nil {
		m, left, err = w.left(ctx, last)
	}
	if jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound) {
		w.cfg.Log.WarnContext(ctx, "stored evaluations may be gone and cannot be restored", "round", last.Round, "error", err)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("restoring stored evaluations: %w", err)
	}
	var changes []scoring.StoredChange
	for _, uid := range slices.Sorted(maps.Keys(left)) {
		if _, there := stored[uid]; !there {
			entry := left[uid]
			changes = append(changes, scoring.StoredChange{UID: uid, Evaluation: &entry})
		}
	}
	origin := jobstream.Origin{Round: m.Round, PlannedAt: m.PlannedAt, Revision: last.Revision}
	if err := w.cfg.Bus.Miners.Change(ctx, origin, changes); err != nil || len(changes) == 0 {
		return false, err
	}
	w.note(ctx, -1, lostStored)
	return true, nil
}

// lacks reports whether any miner whose pull requests the last round had, new or stored,
// has no stored evaluation now: every such miner is stored by the rules
// (docs/rules/scoring.md#fallback-and-shared-accounts). An outcome without a list of
// evaluations cannot be computed again, so nothing counts as missing.
func lacks(stored map[int]scoring.StoredEvaluation, last outcome.Result) bool {
	return len(last.Evaluations) > 0 && slices.ContainsFunc(last.Outcome.Miners, func(m scoring.MinerOutcome) bool {
		_, there := stored[m.UID]
		return !there && m.Failed == input.NoFailure && m.GitHubID != input.NoGitHubID && (!m.FetchFailed || m.FromStored)
	})
}

// left computes the stored evaluations as a revision of a round has left them: its
// snapshot, changed as the rules change it for the evaluations of that revision. Each
// evaluation must have the digest that the outcome lists.
func (w *work) left(ctx context.Context, last outcome.Result) (m job.Manifest, left map[int]scoring.StoredEvaluation, err error) {
	if m, err = w.cfg.Bus.Rounds.Planned(ctx, last.Round); err != nil {
		return m, nil, err
	}
	in := scoring.RoundInput{AsOf: m.AsOf, Miners: m.Miners, Evaluations: map[int]scoring.Evaluation{}}
	if in.Registry, err = input.ParseRegistry(m.Registry); err != nil {
		return m, nil, &jobstream.ValueError{Bucket: job.BucketRounds, Key: job.ManifestKey(m.Round), Err: err}
	}
	if in.Stored, err = w.cfg.Bus.Rounds.Snapshot(ctx, last.Round); err != nil {
		return m, nil, err
	}
	for _, part := range last.Evaluations {
		evaluation, digest, err := w.cfg.Bus.Evaluations.LoadDigest(ctx, part.Key)
		if err != nil {
			return m, nil, err
		}
		if digest != part.SHA256 {
			return m, nil, &jobstream.ValueError{
				Bucket: job.BucketEvaluation, Key: part.Key, Err: errors.New("it is not the one of the outcome"),
			}
		}
		in.Evaluations[part.UID] = evaluation.Evaluation
	}
	left = maps.Clone(in.Stored)
	if left == nil {
		left = map[int]scoring.StoredEvaluation{}
	}
	for _, change := range scoring.Conclude(in).Stored {
		if change.Evaluation != nil {
			left[change.UID] = *change.Evaluation
		} else {
			delete(left, change.UID)
		}
	}
	return m, left, nil
}
