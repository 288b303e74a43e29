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

// lookBack is how many concluded rounds are looked at for the last complete
// one: a day of them, at one in two hours.
const lookBack = 12

// LastOf reads from the outcomes when rounds were last concluded; an instant is
// zero for never, or too long ago to look for.
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
			continue // forgotten since it was listed
		}
		at, err := bus.Outcomes.ConcludedAt(ctx, name, latest.Revision)
		if errors.Is(err, jobstream.ErrNotFound) {
			continue // so it was, or its outcome is gone
		}
		if err != nil {
			return last, fmt.Errorf("when round %s was concluded: %w", name, err)
		}
		if last = last.With(at, latest.Complete); latest.Complete {
			return last, nil
		}
	}
	return last, nil
}

// KeepLast has the bucket say when rounds were last concluded, if nobody has
// said so of the last one: the producer that concluded it died right after.
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

// note has the bucket say that the round was concluded. It is for whoever looks
// from outside, and no reason for the round to fail.
func (r *Runner) note(ctx context.Context, result outcome.Result) {
	if err := r.cfg.Bus.Schedule.RecordConclusion(ctx, time.Now().UTC(), result.Complete); err != nil {
		r.cfg.Log.WarnContext(ctx, "when the round was concluded could not be noted for the metrics", "round", result.Round, "error", err)
	}
	crash.At(crash.ConclusionNoted)
}

// LastTurn is the schedule's last turn, with the revision that the next one
// replaces; it names no round when there was none. Where the turn is gone or cannot
// be read, it is that of the newest round of the schedule that was planned.
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
		case jobstream.Damaged(err), errors.Is(err, jobstream.ErrNotFound): // it is passed over
		case err != nil:
			return job.Turn{}, 0, fmt.Errorf("looking for the last turn: %w", err)
		case !m.Due.IsZero():
			return job.Turn{Round: name, Due: m.Due}, revision, nil
		}
	}
	return job.Turn{}, revision, nil
}
