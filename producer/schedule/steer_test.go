package schedule_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mirrorfleet/producer/schedule"
	"mirrorfleet/shared/job"
)

func (f *fleet) pauses(by, reason string) bool {
	return f.steered(func(s job.Steer) (job.Steer, bool) {
		return s.PauseSchedule(job.Stop{By: by, At: time.Now().UTC(), Reason: reason})
	})
}

func (f *fleet) resumes() bool { return f.steered(job.Steer.ResumeSchedule) }

// orders is `producer now`.
func (f *fleet) orders(by string) bool {
	return f.steered(func(s job.Steer) (job.Steer, bool) {
		return s.OrderTurn(job.Order{By: by, At: time.Now().UTC(), After: f.turn.Round})
	})
}

// look is how often the orders are read.
const look = 2 * time.Second

// steering follows a schedule of a round every two hours while act happens beside it.
func steering(t *testing.T, f *fleet, cfg schedule.Config, span time.Duration, act func(ctx context.Context)) {
	t.Helper()
	cfg.Schedule, cfg.Look = every(t, 2*time.Hour), look
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	acted := make(chan struct{})
	go func() {
		defer close(acted)
		act(ctx)
	}()
	f.follow(t, cfg, span)
	<-acted
}

// While the schedule is paused no turn begins, and the round that runs goes on. One round
// makes up for all that was missed; it counts them and says who had paused. The turns after
// it are where they always were.
func TestAPausedScheduleBeginsNoTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		var log bytes.Buffer
		cfg := schedule.Config{Log: slog.New(slog.NewTextHandler(&log, nil))}
		steering(t, f, cfg, 13*time.Hour, func(ctx context.Context) {
			wait(ctx, 2*time.Hour+10*time.Minute) // in the middle of the second round
			if !f.pauses("ann", "NATS is moved") || f.pauses("bob", "too") {
				t.Error("a pause is given once; the second one changes nothing")
			}
			wait(ctx, 7*time.Hour+time.Second)
			if !f.resumes() || f.resumes() {
				t.Error("a pause ends once; the second order changes nothing")
			}
		})
		want := []time.Duration{0, 2 * time.Hour, 9*time.Hour + 10*time.Minute + look, 10 * time.Hour, 12 * time.Hour}
		if got := f.begun(); !slices.Equal(got, want) {
			t.Errorf("rounds began at %v, want %v", got, want)
		}
		if r := f.rounds[f.order[1]]; r.ended.Sub(r.begun) != 20*time.Minute {
			t.Errorf("the round that ran took %s, want 20m: a pause does not touch it", r.ended.Sub(r.begun))
		}
		notes := f.rounds[f.order[2]].manifest.Notes
		wantNotes := []string{
			"turns missed before this one: 2",
			"the schedule was paused for 7h0m2s by ann since 2000-01-01T02:10:00Z: NATS is moved",
		}
		if !slices.Equal(notes, wantNotes) {
			t.Errorf("the round after the pause says %q, want %q", notes, wantNotes)
		}
		for text, times := range map[string]int{"the schedule is paused": 1, "the schedule is resumed": 1, "missed=3": 1} {
			if got := strings.Count(log.String(), text); got != times {
				t.Errorf("the log says %d times %q, want %d\n%s", got, text, times, log.String())
			}
		}
	})
}

// A pause that misses no turn costs none, and nothing is said of it in a round.
func TestAShortPauseCostsNoTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		steering(t, f, schedule.Config{}, 5*time.Hour, func(ctx context.Context) {
			wait(ctx, 30*time.Minute)
			f.pauses("ann", "")
			wait(ctx, time.Hour)
			f.resumes()
		})
		if want := []time.Duration{0, 2 * time.Hour, 4 * time.Hour}; !slices.Equal(f.begun(), want) {
			t.Errorf("rounds began at %v, want %v", f.begun(), want)
		}
		if notes := f.rounds[f.order[1]].manifest.Notes; len(notes) > 0 {
			t.Errorf("the next round says %q, want nothing", notes)
		}
	})
}

// Whoever takes over finds the pause, and keeps to it; so does a producer that was reading
// the inputs when the schedule was paused.
func TestAPauseOutlivesItsProducer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.dies["round under way"] = true
		begun := time.Now()
		f.unusable = func(now time.Time) error {
			if now.Sub(begun) == 6*time.Hour { // read at the turn's instant, which is the order's
				f.mu.Lock()
				defer f.mu.Unlock()
				f.steer, _ = f.steer.PauseSchedule(job.Stop{By: "ann", At: now})
			}
			return nil
		}
		steering(t, f, schedule.Config{}, 9*time.Hour, func(ctx context.Context) {
			wait(ctx, time.Minute)
			f.pauses("ann", "") // the first round runs; its producer dies, another one goes on
			wait(ctx, 3*time.Hour)
			f.resumes()
			wait(ctx, 4*time.Hour)
			if n := len(f.order); n != 3 {
				t.Errorf("%d rounds have begun, want three: the fourth was paused while its inputs were read", n)
			}
			f.resumes()
		})
		if f.rounds[f.order[0]].resumed != 1 {
			t.Error("the paused schedule's round was not gone on with")
		}
		want := []time.Duration{0, 3*time.Hour + time.Minute, 4 * time.Hour, 7*time.Hour + time.Minute, 8 * time.Hour}
		got := f.begun()
		for i := range got { // within a look of it
			got[i] = got[i].Truncate(time.Minute)
		}
		if !slices.Equal(got, want) {
			t.Errorf("rounds began at %v, want %v", got, want)
		}
	})
}

// An order begins a turn within a look, once, however often it is given; --every counts on
// from it. It does not begin another one when its producer dies with the turn.
func TestATurnIsOrderedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.warms = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		steering(t, f, schedule.Config{WarmUp: 20 * time.Minute}, 4*time.Hour, func(ctx context.Context) {
			wait(ctx, time.Hour+45*time.Minute) // in the warm-up
			f.mu.Lock()
			f.dies["turn taken"] = true
			f.mu.Unlock()
			if !f.orders("ann") || f.orders("bob") {
				t.Error("a turn is ordered once; the second order changes nothing")
			}
		})
		got := f.begun()
		if len(got) != 2+1 && len(got) != 2 || got[1] < 105*time.Minute || got[1] > 106*time.Minute {
			t.Fatalf("rounds began at %v, want the second one at the order, 1h45m", got)
		}
		if len(got) == 3 && got[2]-got[1] < 2*time.Hour-time.Minute {
			t.Errorf("rounds began at %v, want two hours between the last two", got)
		}
		if w := f.warmUps[0]; !errors.Is(w.cause, schedule.ErrTurn) {
			t.Errorf("the warm-up was ended by %v, want the turn", w.cause)
		}
	})
}

// A pause takes an order back, ends a warm-up, and an order is refused while it lasts.
func TestAPauseTakesAnOrderBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.warms = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		steering(t, f, schedule.Config{WarmUp: time.Hour}, 170*time.Minute, func(ctx context.Context) {
			wait(ctx, 10*time.Minute) // the first round runs
			f.orders("ann")
			f.pauses("bob", "")
			if f.orders("ann") {
				t.Error("a turn is ordered while the schedule is paused")
			}
			wait(ctx, 40*time.Minute)
			f.resumes()
			wait(ctx, 20*time.Minute) // in the warm-up
			f.pauses("bob", "")
			wait(ctx, 5*time.Minute)
			f.resumes()
		})
		if want := []time.Duration{0, 2 * time.Hour}; !slices.Equal(f.begun(), want) {
			t.Errorf("rounds began at %v, want %v: no order is left", f.begun(), want)
		}
		if len(f.warmUps) != 1 || !errors.Is(f.warmUps[0].cause, schedule.ErrPaused) {
			t.Errorf("the warm-ups are %+v, want one, ended by the pause", f.warmUps)
		}
	})
}

// An order is taken back while its round is postponed. The next round began on its turn, and
// says nothing of the order.
func TestAnOrderThatIsTakenBackLeavesNoNote(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		begun := time.Now()
		f.unusable = func(now time.Time) error {
			if since := now.Sub(begun); since > time.Hour && since < 90*time.Minute {
				return errors.New("tokens: breaks off")
			}
			return nil
		}
		steering(t, f, schedule.Config{}, 170*time.Minute, func(ctx context.Context) {
			wait(ctx, 70*time.Minute)
			f.orders("ann")
			wait(ctx, 5*time.Minute) // its inputs cannot be used
			f.pauses("bob", "")
			wait(ctx, 5*time.Minute)
			f.resumes()
		})
		if want := []time.Duration{0, 2 * time.Hour}; !slices.Equal(f.begun(), want) {
			t.Errorf("rounds began at %v, want %v", f.begun(), want)
		}
		if notes := f.rounds[f.order[1]].manifest.Notes; len(notes) > 0 {
			t.Errorf("the next round says %q, want nothing: it began on its turn", notes)
		}
	})
}

// One round, at once: what an earlier producer has left is brought to its end first, no turn
// is waited for, nothing is warmed up, and inputs that cannot be used end it.
func TestOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.dies["round under way"] = true
		keeper := func() *schedule.Keeper {
			return schedule.New(schedule.Config{
				Schedule: cron(t, "0 0 1 1 *", "UTC"), WarmUp: time.Hour, Log: slog.New(slog.DiscardHandler),
			})
		}
		once := func() error {
			ctx, die := context.WithCancelCause(t.Context())
			defer die(nil)
			return keeper().Once(ctx, &producer{fleet: f, die: die})
		}
		if err := once(); !errors.Is(err, errDied) {
			t.Errorf("the one that was killed: %v", err)
		}
		if err := once(); err != nil {
			t.Error(err)
		}
		if want := []time.Duration{0, 20 * time.Minute}; !slices.Equal(f.begun(), want) || f.rounds[f.order[0]].resumed != 1 || len(f.warmUps) > 0 {
			t.Errorf("rounds began at %v, want %v, the first one resumed, and no warm-up: %d", f.begun(), want, len(f.warmUps))
		}
		f.unusable = func(time.Time) error { return errors.New("tokens: breaks off") }
		if err := once(); !errors.Is(err, schedule.ErrPostponed) {
			t.Errorf("with unusable inputs: %v", err)
		}
		f.unusable = func(time.Time) error { return nil }
		f.pauses("ann", "moving")
		if err := once(); !errors.Is(err, schedule.ErrPaused) || !strings.Contains(err.Error(), "by ann since") {
			t.Errorf("while the schedule is paused: %v", err)
		}
		if len(f.order) != 2 {
			t.Errorf("%d rounds, want two", len(f.order))
		}
	})
}
