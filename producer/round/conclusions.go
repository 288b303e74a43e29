package round

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// lookBack is how many concluded rounds are searched for the last complete one: a day of
// them, at one every two hours. Each costs a read of its outcome.
const lookBack = 12

// LastOf reads from the outcomes when a round was last concluded, and when a complete one
// was. An instant is zero if there was none, or none among the last lookBack.
func LastOf(ctx context.Context, bus *jobstream.Bus) (last job.Last, err error) {
	rounds, err := bus.Rounds.Concluded(ctx)
	if err != nil {
		return last, fmt.Errorf("listing the concluded rounds: %w", err)
	}
	for _, name := range slices.Backward(rounds[max(0, len(rounds)-lookBack):]) {
		latest, err := outcome.Latest(ctx, bus, name)
		if err != nil && !jobstream.Damaged(err) { // a damaged one was concluded all the same
			return last, err
		}
		if latest.Revision == 0 {
			continue // removed since it was listed
		}
		at, err := bus.Outcomes.ConcludedAt(ctx, name, latest.Revision)
		if errors.Is(err, jobstream.ErrNotFound) {
			continue // removed since then, or lost
		}
		if err != nil {
			return last, fmt.Errorf("reading when round %s was concluded: %w", name, err)
		}
		if last = last.With(at, latest.Complete); latest.Complete {
			return last, nil
		}
	}
	return last, nil
}

// KeepLast writes into the bucket when rounds were last concluded, as the outcomes have
// it. It fills a gap: a producer that dies right after it has written an outcome does not
// record the conclusion, and a metric would report the round before.
func KeepLast(ctx context.Context, bus *jobstream.Bus) error {
	last, err := LastOf(ctx, bus)
	if err != nil || last.Concluded.IsZero() {
		return err
	}
	if !last.Complete.IsZero() {
		if err := bus.Schedule.RecordConclusion(ctx, last.Complete, true); err != nil {
			return err
		}
	}
	return bus.Schedule.RecordConclusion(ctx, last.Concluded, false)
}

// note records in the bucket that the round was concluded. Only metrics read it, so an
// error is logged and does not fail the round.
func (r *Runner) note(ctx context.Context, result outcome.Result) {
	if err := r.cfg.Bus.Schedule.RecordConclusion(ctx, time.Now().UTC(), result.Complete); err != nil {
		r.cfg.Log.WarnContext(ctx, "could not record for the metrics when the round was concluded", "round", result.Round, "error", err)
	}
	crash.At(crash.ConclusionNoted)
}

// LastTurn returns the schedule's last turn, and the revision that the next turn must
// replace; the turn names no round if there was none. If the stored turn is gone or
// unreadable, the newest planned round of the schedule tells it: names sort by time, and a
// manifest has the instant for which the round was due.
func LastTurn(ctx context.Context, bus *jobstream.Bus) (job.Turn, uint64, error) {
	turn, revision, err := bus.Schedule.Turn(ctx)
	if err == nil && revision > 0 {
		return turn, revision, nil
	}
	if err != nil && !jobstream.Damaged(err) {
		return turn, 0, fmt.Errorf("reading the last turn: %w", err)
	}
	rounds, err := bus.Rounds.List(ctx)
	if err != nil {
		return job.Turn{}, 0, fmt.Errorf("listing the rounds: %w", err)
	}
	for _, name := range slices.Backward(rounds) {
		m, err := bus.Rounds.Manifest(ctx, name)
		switch {
		case jobstream.Damaged(err), errors.Is(err, jobstream.ErrNotFound): // an earlier round may tell
		case err != nil:
			return job.Turn{}, 0, fmt.Errorf("looking for the last turn: %w", err)
		case !m.Due.IsZero():
			return job.Turn{Round: name, Due: m.Due}, revision, nil
		}
	}
	return job.Turn{}, revision, nil
}
