package round

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// follow brings the queue to what operators have ordered, and logs each change. Every
// producer of a round does so at every look. So an order is followed even if a process died
// between storing it and pausing the queue. A queue that somebody else has paused, without
// an order, stays paused.
func (k *keeper) follow(ctx context.Context, out jobstream.HandOut) error {
	steer, restored, err := k.orders.Read(ctx)
	if err != nil {
		return fmt.Errorf("reading the orders: %w", err)
	}
	if restored {
		k.cfg.Log.WarnContext(ctx, "what operators have ordered was gone or unreadable: restored as far as it is known",
			"round", k.round, "paused", steer.Round != nil)
	}
	if (steer.Round != nil) != out.Held {
		if err := k.cfg.Bus.Steering.Follow(ctx, steer); err != nil {
			return fmt.Errorf("following the orders: %w", err)
		}
	}
	before := k.paused
	k.paused = steer.Round
	switch stop := steer.Round; {
	case stop != nil && (before == nil || *before != *stop):
		k.cfg.Log.WarnContext(ctx, "the round is paused: no job is handed out until producer resume --round",
			"round", k.round, "paused", stop.Round, "by", stop.By, "since", stop.At, "reason", stop.Reason)
	case stop == nil && before != nil:
		k.cfg.Log.InfoContext(ctx, "the round is resumed: its jobs are handed out again", "round", k.round,
			"paused_for", time.Since(before.At).Round(time.Second))
	}
	return nil
}

// liftOwn ends the pause of a round that is concluded: the next round has nothing to do with
// it. If it cannot, or its process dies first, the next round ends it (liftLeft).
func (r *Runner) liftOwn(ctx context.Context, round string) {
	if err := r.lift(ctx, round); err != nil {
		r.cfg.Log.WarnContext(ctx, "could not end the pause of a round that is concluded: the next round does", "round", round, "error", err)
	}
}

// forsaken is how long a paused round may be without a producer before its pause no longer
// holds back the jobs of another round. It leaves time to restart a producer.
const forsaken = time.Minute

// liftLeft ends the pause of another round that nobody runs any more: one that is
// concluded, lost or left. A forgotten pause must not stop later rounds.
func (w *work) liftLeft(ctx context.Context, now time.Time) error {
	steer, _, err := w.cfg.Bus.Steering.Load(ctx)
	if jobstream.Damaged(err) || err == nil && (steer.Round == nil || steer.Round.Round == w.m.Round) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the orders: %w", err)
	}
	holder, beat, err := w.cfg.Bus.Holders.LastBeat(ctx, steer.Round.Round)
	if err != nil {
		return fmt.Errorf("looking for the producer of the paused round %s: %w", steer.Round.Round, err)
	}
	if now.Sub(beat) <= holder.For+forsaken {
		return nil
	}
	return w.lift(ctx, steer.Round.Round)
}

// lift ends the pause of a round, if there is one.
func (r *Runner) lift(ctx context.Context, round string) error {
	steer, changed, err := r.cfg.Bus.Steering.Change(ctx, func(s job.Steer) (job.Steer, bool) { return s.ResumeRound(round) })
	if err != nil {
		return fmt.Errorf("ending the pause of round %s: %w", round, err)
	}
	if !changed {
		return nil
	}
	r.cfg.Log.WarnContext(ctx, "the pause of a round that has ended is lifted: jobs are handed out", "round", round)
	if err := r.cfg.Bus.Steering.Follow(ctx, steer); err != nil {
		return fmt.Errorf("handing out jobs again: %w", err)
	}
	return nil
}
