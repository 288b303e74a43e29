package schedule_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mirrorfleet/producer/schedule"
)

// Each turn has one warm-up, which begins at its time, or when the round before has ended; it
// has ended when the turn's round begins, and the rounds begin when they would without one.
func TestWarmUps(t *testing.T) {
	t.Parallel()
	const interval = 2 * time.Hour
	forever := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name   string
		warmUp time.Duration
		takes  time.Duration // a round
		warms  func(ctx context.Context) error
		// begins is how long before its turn a warm-up begins, 0 for none; by the turn is
		// how it ends.
		begins time.Duration
		byTurn bool
	}{
		{"off", 0, time.Minute, nil, 0, false},
		{"in time", 20 * time.Minute, time.Minute, func(context.Context) error { return nil }, 20 * time.Minute, false},
		{"fails", 20 * time.Minute, time.Minute, func(context.Context) error { return errors.New("x") }, 20 * time.Minute, false},
		{"the turn comes in the middle", 20 * time.Minute, time.Minute, forever, 20 * time.Minute, true},
		{"late", 20 * time.Minute, interval - 5*time.Minute, forever, 5 * time.Minute, true},
		{"longer than the interval", 3 * time.Hour, time.Hour, forever, time.Hour, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				f.takes, f.warms = func(int) time.Duration { return c.takes }, c.warms
				f.follow(t, schedule.Config{Schedule: every(t, interval), WarmUp: c.warmUp}, 3*interval+time.Minute)
				if got := f.begun(); len(got) != 4 || got[3] != 3*interval {
					t.Errorf("rounds began at %v, want four, each on its instant", got)
				}
				if c.begins == 0 {
					if len(f.warmUps) != 0 {
						t.Errorf("%d warm-ups, want none", len(f.warmUps))
					}
					return
				}
				if len(f.warmUps) < 3 {
					t.Fatalf("%d warm-ups, want one for each turn after the first", len(f.warmUps))
				}
				for _, w := range f.warmUps[:3] {
					if w.turn.Sub(w.begun) != c.begins || w.ended.After(w.turn) || errors.Is(w.cause, schedule.ErrTurn) != c.byTurn {
						t.Errorf("a warm-up began %s before its turn, ended %s before it, by %v; want %s, by the turn: %v",
							w.turn.Sub(w.begun), w.turn.Sub(w.ended), w.cause, c.begins, c.byTurn)
					}
				}
			})
		})
	}
}

// The end of its producer ends a warm-up, and Run waits for it.
func TestAWarmUpEndsWithItsProducer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.warms = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		f.follow(t, schedule.Config{Schedule: every(t, time.Hour), WarmUp: 30 * time.Minute}, 45*time.Minute)
		if len(f.warmUps) != 1 || f.warmUps[0].ended.IsZero() || errors.Is(f.warmUps[0].cause, schedule.ErrTurn) {
			t.Errorf("the warm-ups are %+v, want one that the producer's end has ended", f.warmUps)
		}
	})
}
