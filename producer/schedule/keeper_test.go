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
	"mirrorfleet/shared/must"
)

// Four weeks of a round every two hours: 337 of them, each on its instant.
func TestWeeksOfRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.follow(t, schedule.Config{Schedule: every(t, 2*time.Hour)}, 4*7*24*time.Hour+time.Hour)
		if len(f.order) != 4*7*12+1 {
			t.Errorf("%d rounds in four weeks, want %d", len(f.order), 4*7*12+1)
		}
		for i, since := range f.begun() {
			if since != time.Duration(i)*2*time.Hour {
				t.Fatalf("round %d began %s after the first, want %s", i, since, time.Duration(i)*2*time.Hour)
			}
		}
		if f.forgets < len(f.order) {
			t.Errorf("old rounds were looked for %d times in %d rounds", f.forgets, len(f.order))
		}
	})
}

// A fortnight by the clocks of Berlin, when they are put forward and when they are
// put back: no day is without its round.
func TestFortnightsByCron(t *testing.T) {
	t.Parallel()
	berlin := must.Get(time.LoadLocation("Europe/Berlin"))(t)
	for _, c := range []struct {
		from, day string
		want      []string
	}{
		{"2000-03-19T12:00:00Z", "03-26", []string{"03:30 CEST"}},
		{"2000-10-22T12:00:00Z", "10-29", []string{"02:30 CEST", "02:30 CET"}},
	} {
		t.Run(c.day, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // it begins on 1 January 2000
				wait(t.Context(), time.Until(at(c.from)))
				f := newFleet()
				f.follow(t, schedule.Config{Schedule: cron(t, "30 2 * * *", "Europe/Berlin")}, 14*24*time.Hour)
				days := map[string][]string{}
				for _, name := range f.order {
					begun := f.rounds[name].begun.In(berlin)
					days[begun.Format("01-02")] = append(days[begun.Format("01-02")], begun.Format("15:04 MST"))
				}
				if got := days[c.day]; !slices.Equal(got, c.want) || len(days) != 14 {
					t.Errorf("rounds on %s at %v, and on %d days; want %v, 14", c.day, got, len(days), c.want)
				}
			})
		})
	}
}

// A round that takes longer than an interval has the next one begin as soon as
// it has ended, once for all that were missed; the turns after it are where they
// were.
func TestMissedTurnsAreMadeUpForOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.takes = func(n int) time.Duration {
			return map[bool]time.Duration{true: 7 * time.Hour, false: time.Minute}[n == 1]
		}
		f.follow(t, schedule.Config{Schedule: every(t, 2*time.Hour)}, 13*time.Hour)
		want := []time.Duration{0, 2 * time.Hour, 9 * time.Hour, 10 * time.Hour, 12 * time.Hour}
		if got := f.begun(); !slices.Equal(got, want) {
			t.Errorf("rounds began at %v, want %v", got, want)
		}
		late := f.rounds[f.order[2]]
		if want := []string{"turns missed before this one: 2"}; !slices.Equal(late.manifest.Notes, want) {
			t.Errorf("the late round says %q, want %q", late.manifest.Notes, want)
		}
		if got := late.due.Sub(f.rounds[f.order[0]].begun); got != 8*time.Hour {
			t.Errorf("the late round is for the turn at %s, want 8h", got)
		}
	})
}

// A round that does not end is declared overdue, and the next one begins.
func TestAnOverdueRoundMakesRoomForTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.takes = func(n int) time.Duration {
			return map[bool]time.Duration{true: 1000 * time.Hour, false: time.Minute}[n == 1]
		}
		f.follow(t, schedule.Config{Schedule: every(t, 2*time.Hour), Overdue: 90 * time.Minute}, 7*time.Hour)
		if want := []time.Duration{0, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour}; !slices.Equal(f.begun(), want) {
			t.Errorf("rounds began at %v, want %v", f.begun(), want)
		}
		for i, name := range f.order {
			if f.rounds[name].overdue != (i == 1) {
				t.Errorf("round %d: overdue %v", i, f.rounds[name].overdue)
			}
		}
	})
}

// Without a bound the next round waits for as long as it takes.
func TestARoundMayTakeAsLongAsItTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.takes = func(n int) time.Duration {
			return map[bool]time.Duration{true: 50 * time.Hour, false: time.Minute}[n == 0]
		}
		f.follow(t, schedule.Config{Schedule: every(t, 2*time.Hour)}, 51*time.Hour)
		if want := []time.Duration{0, 50 * time.Hour}; !slices.Equal(f.begun(), want) {
			t.Errorf("rounds began at %v, want %v", f.begun(), want)
		}
	})
}

// A producer that dies, whenever it does, is followed by one that goes on: with
// the round, or with a turn that has none yet. No round is begun twice.
func TestWhoeverFollowsGoesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dies    string
		resumed int
		late    time.Duration
	}{{"turn taken", 0, 15 * time.Second}, {"round under way", 1, 0}} {
		t.Run(c.dies, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				f.dies[c.dies] = true
				begun := time.Now()
				f.follow(t, schedule.Config{Schedule: every(t, 2*time.Hour)}, 5*time.Hour)
				first := f.rounds[f.order[0]]
				if got := first.begun.Sub(begun); got != c.late || first.resumed != c.resumed || first.ended.IsZero() {
					t.Errorf("the round began after %s, was gone on with %d times, ended %v; want %s, %d", got, first.resumed, !first.ended.IsZero(), c.late, c.resumed)
				}
				if len(f.order) != 3 || !first.due.Equal(begun) {
					t.Errorf("%d rounds, the first due at %s; want 3, at %s", len(f.order), first.due, begun)
				}
				if next := f.rounds[f.order[1]].begun.Sub(begun); next != 2*time.Hour {
					t.Errorf("the next round began after %s, want 2h", next)
				}
			})
		})
	}
}

// A turn that was taken and never begun is still due when nobody is there for
// days, and counts with those that were missed.
func TestATurnWithoutRoundAfterDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.turn, f.revision = job.Turn{Round: "r0", Due: time.Now()}, 1
		wait(t.Context(), 49*time.Hour)
		f.follow(t, schedule.Config{Schedule: every(t, 2*time.Hour)}, 2*time.Hour-time.Minute)
		want := []string{"turns missed before this one: 24"}
		if got := f.rounds[f.order[0]].manifest.Notes; !slices.Equal(got, want) {
			t.Errorf("the round says %q, want %q", got, want)
		}
	})
}

// Where the clock was set back, the last turn is in the future: the next one is
// an interval from now, or at the next instant, and one that has no round yet is
// due at once. Nobody waits until the clock has come to where it was.
func TestAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		schedule schedule.Schedule
		planned  bool
		want     time.Duration
	}{
		{"interval", every(t, 2*time.Hour), true, 2 * time.Hour},
		{"cron", cron(t, "30 */2 * * *", "UTC"), true, 30 * time.Minute},
		{"interval, a turn without round", every(t, 2*time.Hour), false, 0},
		{"cron, a turn without round", cron(t, "30 */2 * * *", "UTC"), false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // it begins at midnight
				f, now := newFleet(), time.Now()
				f.turn, f.revision = job.Turn{Round: "former", Due: now.Add(20 * time.Hour)}, 1
				if c.planned {
					f.rounds["former"] = &served{ended: now}
				}
				f.follow(t, schedule.Config{Schedule: c.schedule}, 5*time.Hour)
				if len(f.order) < 2 {
					t.Fatalf("%d rounds in five hours, want two at least", len(f.order))
				}
				if got := f.rounds[f.order[0]].begun.Sub(now); got != c.want {
					t.Errorf("the first round began after %s, want %s", got, c.want)
				}
			})
		})
	}
}

// Files that cannot be used postpone a round, for as long as it takes: it is said
// once for each reason and in the round, and no round is begun without them.
func TestFilesThatChangeUnderIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, begun := newFleet(), time.Now()
		f.unusable = func(now time.Time) error {
			switch since := now.Sub(begun); {
			case since >= 2*time.Hour && since < 2*time.Hour+7*time.Second: // half-written for a moment
				return errors.New("tokens: breaks off")
			case since >= 4*time.Hour && since < 9*time.Hour: // nobody exports any more
				return errors.New("metagraph: too old")
			}
			return nil
		}
		var log bytes.Buffer
		keeper := schedule.New(schedule.Config{Schedule: every(t, 2*time.Hour), Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithTimeout(t.Context(), 11*time.Hour)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- keeper.Run(ctx, &producer{fleet: f}) }()
		wait(ctx, 5*time.Hour)
		if err := keeper.Trouble(); !errors.Is(err, schedule.ErrPostponed) || !strings.Contains(err.Error(), "too old") {
			t.Errorf("the trouble while it is postponed is %v", err)
		}
		wait(ctx, 5*time.Hour)
		if err := keeper.Trouble(); err != nil {
			t.Errorf("the trouble when the files can be used again is %v", err)
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		if err := keeper.Trouble(); err != nil {
			t.Errorf("the trouble of one that leads no longer is %v", err)
		}
		want := []time.Duration{0, 2*time.Hour + 10*time.Second, 9 * time.Hour, 10 * time.Hour}
		if got := f.begun(); !slices.Equal(got, want) {
			t.Errorf("rounds began at %v, want %v", got, want)
		}
		for i, want := range [][]string{
			nil, {"postponed for 10s: the inputs cannot be used: tokens: breaks off"},
			{"turns missed before this one: 2", "postponed for 5h0m0s: the inputs cannot be used: metagraph: too old"}, nil,
		} {
			if got := f.rounds[f.order[i]].manifest.Notes; !slices.Equal(got, want) {
				t.Errorf("round %d says %q, want %q", i, got, want)
			}
		}
		if got := strings.Count(log.String(), "the round is postponed"); got != 2 {
			t.Errorf("it was said %d times, want once for each reason\n%s", got, log.String())
		}
	})
}

// Trouble that has passed is told no longer, though the next turn is an hour away.
func TestTroubleThatHasPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.broken = 2
		f.turn = job.Turn{Round: "before", Due: time.Now().Add(-time.Hour)}
		f.rounds["before"] = &served{begun: f.turn.Due, ended: f.turn.Due.Add(time.Minute)}
		keeper := schedule.New(schedule.Config{Schedule: every(t, 2*time.Hour), Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- keeper.Run(ctx, &producer{fleet: f}) }()
		wait(ctx, time.Second)
		if keeper.Trouble() == nil {
			t.Error("there is no trouble while the streams are away")
		}
		wait(ctx, 20*time.Minute)
		if err := keeper.Trouble(); err != nil {
			t.Errorf("the trouble is %v while nothing is due", err)
		}
		<-ended
	})
}

// Trouble with the streams ends nothing: it is logged and tried again, less and
// less often, and the turns are where they were.
func TestTroubleIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.broken = 10
		begun := time.Now()
		var log bytes.Buffer
		f.follow(t, schedule.Config{Schedule: every(t, 2*time.Hour), Log: slog.New(slog.NewTextHandler(&log, nil))}, time.Hour)
		// 5, 10, 20 and 40 seconds, then a minute each.
		if got := f.rounds[f.order[0]].begun.Sub(begun); got != 75*time.Second+6*time.Minute {
			t.Errorf("the first round began after %s", got)
		}
		if got := strings.Count(log.String(), "the streams are away"); got != 10 {
			t.Errorf("it was logged %d times, want each of 10", got)
		}
	})
}
