package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/pause"
)

// waiting is the wait for one turn: what was seen and said of it so far.
type waiting struct {
	*Keeper

	rounds Rounds
	last   Last
	// began is when the wait began, which is the beginning of a schedule without a turn.
	began time.Time
	// told is the turn that the log has, warmed the one that had its warm-up.
	told, warmed time.Time
	delay        postponement
	// paused is the pause that the schedule is in, or was in last. by is the order to begin
	// the turn at once; both are nil for none.
	paused *job.Stop
	by     *job.Order
	ended  time.Time // when the pause was seen to have ended
}

// await waits until a round is due, or ordered, and its inputs can be used.
func (k *Keeper) await(ctx context.Context, rounds Rounds, last Last) (job.Manifest, Due, error) {
	w := waiting{
		Keeper: k,
		rounds: rounds,
		last:   last,
		began:  wall(),
		paused: k.Paused(),
	}
	for {
		due, ready, err := w.look(ctx)
		if err != nil {
			return job.Manifest{}, due, err
		}
		if !ready {
			w.setTrouble(nil) // nothing is to begin, so nothing puts it off
			if w.rest(ctx, due) != nil {
				return job.Manifest{}, due, context.Cause(ctx) //nolint:wrapcheck // the caller's own
			}
			continue
		}
		m, err := rounds.Prepare(ctx)
		if err == nil {
			// Reading the inputs may have taken minutes, in which the schedule was paused.
			_, ready, err = w.look(ctx)
		}
		switch {
		case err == nil && ready:
			now := time.Now()
			k.plan(&m, due, now)
			m.Notes = append(w.notes(due, now), m.Notes...)
			k.cfg.Log.InfoContext(ctx, "beginning a round", "round", m.Round, "due", due.At, "missed", due.Missed, "overdue", m.OverdueAt)
			return m, due, nil
		case err == nil:
			continue
		case !errors.Is(err, ErrPostponed):
			return m, due, err
		}
		k.setTrouble(err)
		if w.delay.note(err, wall()) {
			k.cfg.Log.WarnContext(ctx, "the round is postponed: its inputs are read again until they can be used", "due", due.At, "error", err)
		}
		if pause.For(ctx, k.cfg.Again) != nil {
			return m, due, context.Cause(ctx) //nolint:wrapcheck // the caller's own
		}
	}
}

// look says which turn is next, and whether it is to begin now: it is due, or ordered, and
// the schedule is not paused.
func (w *waiting) look(ctx context.Context) (due Due, ready bool, err error) {
	steer, err := w.rounds.Steer(ctx)
	if err != nil {
		return due, false, fmt.Errorf("reading the orders: %w", err)
	}
	now := wall()
	w.began, w.last.Due = sooner(w.began, now), sooner(w.last.Due, now)
	due = w.next(w.last, w.began, now)
	w.notePause(ctx, steer.Schedule, due, now)
	if w.by != nil && !steer.Orders(w.last.Round) { // a pause has taken the order back, before its round could begin
		w.by, w.delay = nil, postponement{}
	}
	if steer.Schedule != nil {
		return due, false, nil
	}
	if due.At.After(now) && steer.Orders(w.last.Round) {
		if w.by == nil {
			w.cfg.Log.InfoContext(ctx, "a turn is ordered: it begins now", "by", steer.Now.By, "ordered", steer.Now.At, "instead_of", due.At)
		}
		w.by, due = steer.Now, Due{At: now}
		crash.At(crash.TurnOrdered)
	}
	return due, !due.At.After(now), nil
}

// notePause notes whether the schedule is paused, and says each change.
func (w *waiting) notePause(ctx context.Context, stop *job.Stop, due Due, now time.Time) {
	before := w.Paused()
	w.setPaused(stop)
	switch {
	case stop != nil && (before == nil || *before != *stop):
		w.cfg.Log.WarnContext(ctx, "the schedule is paused: no turn begins until producer resume",
			"by", stop.By, "since", stop.At, "reason", stop.Reason)
	case stop == nil && w.paused != nil && w.ended.IsZero():
		w.ended = now
		missed := due.Missed
		if !due.At.After(now) {
			missed++
		}
		w.cfg.Log.InfoContext(ctx, "the schedule is resumed", "paused_by", w.paused.By, "paused_for", now.Sub(w.paused.At).Round(time.Second),
			"missed", missed, "due", due.At)
	}
	if stop != nil {
		w.paused, w.ended = stop, time.Time{}
	}
}

// rest waits until it is time for the next look, or lets the turn's warm-up continue.
func (w *waiting) rest(ctx context.Context, due Due) error {
	left := due.At.Sub(wall())
	if w.Paused() != nil || left <= 0 {
		return pause.For(ctx, w.cfg.Look)
	}
	if !w.told.Equal(due.At) {
		w.cfg.Log.InfoContext(ctx, "waiting for the next turn", "due", due.At, "in", left)
		w.rounds.Announce(ctx, due.At)
		w.told = due.At
	}
	wait, warm := w.untilWarmUp(left, w.warmed.Equal(due.At))
	if !warm {
		return pause.For(ctx, min(wait, w.cfg.Look))
	}
	w.warmed = due.At
	w.warmUp(ctx, due.At)
	return context.Cause(ctx) //nolint:wrapcheck // the caller's own
}

// untilWarmUp says how long to wait when so much is left until the turn, and whether to
// begin its warm-up now, unless it has begun.
func (k *Keeper) untilWarmUp(left time.Duration, begun bool) (wait time.Duration, warm bool) {
	switch {
	case begun || k.cfg.WarmUp <= 0:
		return left, false
	case left <= k.cfg.WarmUp:
		return 0, true
	}
	return left - k.cfg.WarmUp, false
}

// warmUp runs the warm-up of a turn until it is done, the turn has come (by the one clock
// of turns) or is ordered, or the schedule is paused.
func (w *waiting) warmUp(ctx context.Context, turn time.Time) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	done := make(chan error, 1)
	go func() { done <- w.rounds.WarmUp(ctx, turn) }()
	for {
		look := w.cfg.Look
		if left := turn.Sub(wall()); left > 0 {
			look = min(left, look)
		} else {
			end(ErrTurn)
		}
		if why := w.interrupted(ctx); why != nil {
			end(why)
		}
		select {
		case err := <-done:
			if err != nil && ctx.Err() == nil {
				w.cfg.Log.WarnContext(ctx, "the warm-up failed: the round fetches what it needs by itself", "turn", turn, "error", err)
			}
			return
		case <-time.After(look):
		}
	}
}

// interrupted says why a warm-up must end before its turn is due; nil if it need not. Orders
// that cannot be read end nothing: the next look decides.
func (w *waiting) interrupted(ctx context.Context) error {
	steer, err := w.rounds.Steer(ctx)
	switch {
	case err != nil:
		return nil //nolint:nilerr // as documented
	case steer.Schedule != nil:
		return ErrPaused
	case steer.Orders(w.last.Round):
		return ErrTurn
	}
	return nil
}

// notes are what the manifest says about a round that began late, or by an order.
func (w *waiting) notes(due Due, now time.Time) []string {
	var list []string
	if due.Missed > 0 {
		list = append(list, fmt.Sprintf("turns missed before this one: %d", due.Missed))
	}
	if w.by != nil {
		list = append(list, "the turn was begun by an order of "+w.by.By)
	}
	if w.paused != nil && !due.At.After(w.ended) { // it came while the schedule was paused
		list = append(list, fmt.Sprintf("the schedule was paused for %s %s", w.ended.Sub(w.paused.At).Round(time.Second), w.paused.Text()))
	}
	if !w.delay.since.IsZero() {
		list = append(list, fmt.Sprintf("postponed for %s: %s", now.Sub(w.delay.since).Round(time.Second), w.delay.why))
	}
	return list
}
