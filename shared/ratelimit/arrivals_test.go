package ratelimit_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/windows"
)

// arrivals are the times at which requests were sent, as the mirror would count them, and
// how many of them may lie in one window.
type arrivals struct {
	began  time.Time
	window time.Duration
	limit  int
	mu     sync.Mutex
	times  []time.Duration
}

// send uses a permit, or throws it away if its time has passed.
func (a *arrivals) send(useBy time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); !now.After(useBy) {
		a.times = append(a.times, now.Sub(a.began))
	}
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.times)
}

// wantWithin checks that no window saw more than the limit less its spare.
func (a *arrivals) wantWithin(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	worst := windows.Worst(a.times, a.window)
	t.Logf("%d requests in %v, worst window %+v", len(a.times), time.Since(a.began).Round(time.Millisecond), worst)
	if worst.Max() > a.limit {
		t.Errorf("worst window of %v is %+v, want at most %d by every count", a.window, worst, a.limit)
	}
}

// sender is a process that sends a request with each permit that it gets.
type sender struct {
	*ratelimit.Limiter

	seen *arrivals
}

// Permit takes a permit and uses it at once.
func (s *sender) Permit(ctx context.Context) (useBy time.Time, err error) {
	if useBy, err = s.Limiter.Permit(ctx); err == nil {
		s.seen.send(useBy)
	}
	return useBy, err
}

// linger takes a permit and uses it at any allowed moment, up to the last. This is what
// the jitter of the formula allows for.
func (s *sender) linger(ctx context.Context) error {
	useBy, err := s.Limiter.Permit(ctx)
	if err != nil {
		return err
	}
	left := time.Until(useBy) - time.Millisecond
	if rand.IntN(2) == 0 {
		left -= rand.N(max(left, 1))
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		s.seen.send(useBy)
	case <-ctx.Done():
	}
	return nil
}

// saturate has several limiters of one egress, as processes have them. Each has three
// waiters that send n more requests, every third one as late as allowed. Every second
// process has a waiter of the background as well. midway is called once, half way, while
// the others continue.
func saturate(t *testing.T, limiters []*sender, n int, midway func()) {
	t.Helper()
	seen := limiters[0].seen
	before := seen.count()
	var (
		half    atomic.Bool
		waiters sync.WaitGroup
	)
	for at, l := range limiters {
		background := view(t, l, 1)
		for i := range 3 + at%2 {
			waiters.Go(func() {
				for seen.count()-before < n {
					take := l.linger
					switch i {
					case 1, 2:
						take = func(ctx context.Context) error { _, err := l.Permit(ctx); return err }
					case 3:
						take = func(ctx context.Context) error {
							useBy, err := background.Permit(ctx)
							if err == nil {
								seen.send(useBy)
							}
							return err
						}
					}
					if err := take(t.Context()); err != nil {
						t.Errorf("a permit: %v", err)
						return
					}
					if seen.count()-before >= n/2 && half.CompareAndSwap(false, true) {
						midway()
					}
				}
			})
		}
	}
	waiters.Wait()
}
