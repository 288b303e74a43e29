package ratelimit_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// view is a limiter's background, with a share of the limit.
func view(t *testing.T, l *sender, share float64) *ratelimit.Background {
	t.Helper()
	return must.Get(l.Background(share))(t)
}

// TestBothClassesHavePermits of one limit: the round gets most of them, and the
// background at least one in a while. The record says nothing of a background before one
// has asked.
func TestBothClassesHavePermits(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		l, rdb := s.patientLimiter(t, quick()), patient(t, s)
		permit(t, l)
		record := must.Get(rdb.HGetAll(t.Context(), ratelimit.Key("default")).Result())(t)
		for field := range record {
			if strings.HasPrefix(field, "background") || field == "round" {
				t.Errorf("the record of a bucket without a background has %s", field)
			}
		}
		back, began := view(t, l, 1), l.seen.count()
		var byRound, byBackground atomic.Int64
		var waiters sync.WaitGroup
		take := func(permit func() (time.Time, error), n *atomic.Int64) {
			for l.seen.count()-began < 60 {
				useBy, err := permit()
				if err != nil {
					t.Errorf("a permit: %v", err)
					return
				}
				l.seen.send(useBy)
				n.Add(1)
			}
		}
		for range 3 {
			waiters.Go(func() { take(func() (time.Time, error) { return l.Limiter.Permit(t.Context()) }, &byRound) })
			waiters.Go(func() { take(func() (time.Time, error) { return back.Permit(t.Context()) }, &byBackground) })
		}
		waiters.Wait()
		// The round gets three in four slots if the machine lets it ask in time.
		if byBackground.Load() < 5 || byRound.Load() < 30 {
			t.Errorf("the round had %d permits, the background %d, want most for the round and some for the background",
				byRound.Load(), byBackground.Load())
		}
		got := state(t, l)
		// Slots ahead of the running cell are not shown: one of each class at most is reserved.
		all, ofBack := got.Granted-sum(got.Use), got.Background-sum(got.UseBackground)
		if all < 0 || all > 2 || ofBack < 0 || ofBack > 1 {
			t.Errorf("the last minutes lack %d of %d permits, %d of %d of the background, want none", all, got.Granted, ofBack, got.Background)
		}
		if stats := l.Stats(); stats.Background != byBackground.Load() || got.Background < stats.Background || got.Background >= got.Granted {
			t.Errorf("the bucket granted %d of %d to the background, the process %d, want %d of the process",
				got.Background, got.Granted, stats.Background, byBackground.Load())
		}
		if got.LastBackground < got.LastGrant || got.LastBackground == 0 {
			t.Errorf("the background's last slot was %v ago, the last one %v", got.LastBackground, got.LastGrant)
		}
	})
}

// TestEachClassHasALine: a waiter of the background holds up no waiter of the round.
func TestEachClassHasALine(t *testing.T) {
	t.Parallel()
	l := embedded(t).patientLimiter(t, quick())
	back := view(t, l, 1e-4) // a permit each 400 s
	must.Get(back.Permit(t.Context()))(t)
	waiting := make(chan error, 1)
	go func() {
		_, err := back.Permit(t.Context())
		waiting <- err
	}()
	await(t, "the background is told to wait", func() bool { return l.Stats().Refused > 1 })
	for range 3 {
		permit(t, l)
	}
	if stats := l.Stats(); stats.Waiting != 0 || stats.Background != 1 || stats.Granted != 4 {
		t.Errorf("Stats are %+v, want 4 permits, one of them of the background, and nobody of the round waiting", stats)
	}
	must.Do(t, l.Close())
	if err := <-waiting; !errors.Is(err, ratelimit.ErrClosed) {
		t.Errorf("a wait of the background that Close ended returned %v, want ErrClosed", err)
	}
}

// TestAProcessHoldsSeveralReservations of the background if it is told to. With one
// reservation, the next free slot is never further away than the distance of two slots.
func TestAProcessHoldsSeveralReservations(t *testing.T) {
	t.Parallel()
	cfg := ratelimit.Config{
		Limit: 50, Window: 10 * time.Second, Rate: 1, Horizon: 4 * time.Second, Minimum: 1, BackgroundReservations: 3,
	}
	s := embedded(t)
	l := s.limiterBy(t, cfg, patient(t, s))
	back, enough := view(t, l, 1), make(chan struct{})
	var waiters sync.WaitGroup
	for range 4 {
		waiters.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
					must.Get(back.Permit(t.Context()))(t)
				}
			}
		})
	}
	await(t, "three slots that the process holds", func() bool { return state(t, l).NextIn > 2500*time.Millisecond })
	close(enough)
	waiters.Wait()
}

// TestTheBackgroundKeepsItsShare of a limit that nothing else uses.
func TestTheBackgroundKeepsItsShare(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	l, rdb := s.patientLimiter(t, quick()), patient(t, s)
	slot := func() int64 {
		return must.Get(rdb.HGet(t.Context(), ratelimit.Key("default"), "background").Int64())(t)
	}
	back := view(t, l, 0) // half
	l.seen.send(must.Get(back.Permit(t.Context()))(t))
	for range 10 {
		last := slot()
		l.seen.send(must.Get(back.Permit(t.Context()))(t))
		if apart, minimum := slot()-last, 2*state(t, l).Interval.Microseconds(); apart < minimum {
			t.Errorf("two slots of half the limit are %d µs apart, want at least %d", apart, minimum)
		}
	}
}

// TestACoolDownOfTheBackgroundStopsTheRound, because the whole egress cools down.
func TestACoolDownOfTheBackgroundStopsTheRound(t *testing.T) {
	t.Parallel()
	const d = time.Second
	l := embedded(t).patientLimiter(t, quick())
	permit(t, l)
	began := time.Now()
	must.Do(t, view(t, l, 1).CoolDown(t.Context(), d))
	permit(t, l)
	if waited := time.Since(began); waited < d {
		t.Errorf("a permit of the round came %v into a cool-down of %v", waited, d)
	}
}

func TestShareAndMinimumAreChecked(t *testing.T) {
	t.Parallel()
	l := must.Get(ratelimit.New(quick(), noRedis(t)))(t)
	t.Cleanup(func() { _ = l.Close() })
	for share, right := range map[float64]bool{
		0: true, 1: true, 0.5: true, 0.001: true, 1.01: false, -0.5: false, 1e-9: false, math.Inf(1): false, math.NaN(): false,
	} {
		if _, err := l.Background(share); (err == nil) != right {
			t.Errorf("a share of %v: %v, want it taken: %t", share, err, right)
		}
	}
	for minimum, right := range map[int]bool{0: true, 1: true, 4: true, 1000: true, -1: false, 1001: false} {
		if _, err := (ratelimit.Config{Minimum: minimum}).Effective(); (err == nil) != right {
			t.Errorf("a Minimum of %d: %v, want it taken: %t", minimum, err, right)
		}
	}
}
