package ratelimit_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit"
)

func newLogger(s signals) *slog.Logger { return slog.New(s) }

// await yields until a condition holds that nothing signals.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for !happened() {
		if t.Context().Err() != nil {
			t.Fatalf("the test ended before %s", what)
		}
		runtime.Gosched()
	}
}

// TestWaitersAreServedInOrder, first in, first out.
func TestWaitersAreServedInOrder(t *testing.T) {
	t.Parallel()
	const waiters = 20
	l := embedded(t).limiter(t, quick())
	served := make(chan int, waiters)
	var all sync.WaitGroup
	for i := range waiters {
		all.Go(func() {
			permit(t, l)
			served <- i
		})
		// Before the first permit, a horizon away, all waiters are in line.
		await(t, "the waiter is in line", func() bool { return l.Stats().Waiting > i })
	}
	for want := range waiters {
		// A waiter reports its permit after it has handed on its turn, so neighbours may
		// report in the other order. Permits are 25 ms apart.
		if got := <-served; got != want {
			t.Errorf("permit %d went to waiter %d", want, got)
		}
	}
	all.Wait()
	stats := l.Stats()
	if stats.Waiting != 0 || !stats.TurnSince.IsZero() {
		t.Errorf("%d waiting, the first since %v, want none", stats.Waiting, stats.TurnSince)
	}
	if granted, calls := state(t, l).Granted, stats.Asked-stats.Refused; granted > calls {
		t.Errorf("%d slots were granted by %d calls, want one a call, however many wait", granted, calls)
	}
}

// TestReservationOfOneWhoWent is handed to the next waiter, and not lost.
func TestReservationOfOneWhoWent(t *testing.T) {
	t.Parallel()
	cfg := quick()
	cfg.Horizon = 2 * time.Second // time enough to go and to be followed
	l := embedded(t).patientLimiter(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := l.Permit(ctx)
		gone <- err
	}()
	await(t, "a reservation", func() bool { return state(t, l).Granted == 1 })
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Permit returned %v, want context.Canceled", err)
	}
	permit(t, l)
	stats := l.Stats()
	// The waiter may have gone before the answer came. Then that slot is spent.
	if got := state(t, l).Granted; got < 1 || got > 1+stats.Late+stats.Lost {
		t.Errorf("%d slots were granted for one permit (%d late, %d answers lost), want the one that was left to be used",
			got, stats.Late, stats.Lost)
	}
}

// TestLatePermitIsThrownAway, and counted. At the very instant it is still in time.
func TestLatePermitIsThrownAway(t *testing.T) {
	t.Parallel()
	l := embedded(t).limiter(t, quick())
	useBy := time.Unix(100, 0)
	if !ratelimit.Usable(l.Limiter, useBy, useBy) {
		t.Error("a reservation is thrown away at its use-by, want it used")
	}
	if ratelimit.Usable(l.Limiter, useBy, useBy.Add(1)) {
		t.Error("a reservation is used after its use-by")
	}
	if late := l.Stats().Late; late != 1 {
		t.Errorf("Late is %d, want 1", late)
	}
}

// TestOneWhoLeavesTheLine does not hold up the others.
func TestOneWhoLeavesTheLine(t *testing.T) {
	t.Parallel()
	l := embedded(t).limiter(t, quick())
	first := make(chan struct{})
	go func() { defer close(first); permit(t, l) }()
	await(t, "the first waits", func() bool { return l.Stats().Waiting == 1 })
	ctx, cancel := context.WithCancelCause(t.Context())
	second := make(chan error, 1)
	go func() { _, err := l.Permit(ctx); second <- err }()
	await(t, "the second waits", func() bool { return l.Stats().Waiting == 2 })
	third := make(chan struct{})
	go func() { defer close(third); permit(t, l) }()
	await(t, "the third waits", func() bool { return l.Stats().Waiting == 3 })
	why := errors.New("no longer needed")
	cancel(why)
	if err := <-second; !errors.Is(err, why) {
		t.Errorf("the second got %v, want the cause of its context", err)
	}
	<-first
	<-third
}

func TestCloseEndsEveryWait(t *testing.T) {
	t.Parallel()
	l := embedded(t).limiter(t, quick())
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := l.Permit(t.Context()); !errors.Is(err, ratelimit.ErrClosed) {
				t.Errorf("a wait that Close ended returned %v, want ErrClosed", err)
			}
		})
	}
	await(t, "all wait", func() bool { return l.Stats().Waiting == 3 })
	for range 2 {
		must.Check(t, l.Close())
	}
	all.Wait()
	if _, err := l.Permit(t.Context()); !errors.Is(err, ratelimit.ErrClosed) {
		t.Errorf("Permit after Close returned %v, want ErrClosed", err)
	}
}

// TestLostAnswerIsASlotSpent: the call ends at its timeout, the client does not repeat
// it, and the next reservation is another slot.
func TestLostAnswerIsASlotSpent(t *testing.T) {
	t.Parallel()
	onEach(t, single, func(t *testing.T, s *server) {
		relay := nettest.NewRelay(t, s.url)
		l := newServer(t, "redis://"+relay.Address).limiter(t, quick())
		permit(t, l) // the bucket has started, the next request is granted at once
		direct := s.limiter(t, quick())
		had, before := state(t, direct).Granted, l.Stats()
		relay.Delay(120*time.Millisecond, 120*time.Millisecond) // the question arrives within the 160 ms of a call, the answer after
		served := make(chan struct{})
		go func() { defer close(served); permit(t, l) }()
		await(t, "a lost answer", func() bool { return l.Stats().Lost > before.Lost })
		relay.Delay(0, 0)
		<-served
		slots, after := state(t, direct).Granted-had, l.Stats()
		if maximum := (after.Asked - after.Refused) - (before.Asked - before.Refused); slots < 2 || slots > maximum {
			t.Errorf("%d slots went with %+v, want 2 to %d: one spent on the lost answer, none on a resend", slots, after, maximum)
		}
	})
}
