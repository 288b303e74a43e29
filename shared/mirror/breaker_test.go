package mirror_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// breaking makes the breaker open at the third failure, across two paths.
func breaking(c *mirror.Config) {
	c.BreakAfter = 3
	c.BreakAcross = 2
	c.BreakFor = 20 * time.Millisecond
}

// switched answers by broken until the mirror is mended.
type switched struct{ mended atomic.Bool }

func (s *switched) handle(broken http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.mended.Load() {
			say(http.StatusOK, emptyFiles)(w, r)
			return
		}
		broken(w, r)
	}
}

// trip lets three requests fail.
func (b *bundle) trip(t *testing.T) {
	t.Helper()
	for i := range 3 {
		if b.client.Open() {
			t.Fatalf("the breaker is open after %d failures, want it closed", i)
		}
		if _, err := b.client.Files(t.Context(), "a/b", i); err == nil {
			t.Fatal("got no error, want the mirror to fail")
		}
	}
}

func TestAnOpenBreakerHoldsCallsAndLetsThemGoOn(t *testing.T) {
	t.Parallel()
	var s switched
	b := setup(t, s.handle(say(500, "")), breaking)
	b.trip(t)
	b.metered(t, 9)
	s.mended.Store(true)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if _, err := b.client.Files(t.Context(), "a/b", i); err != nil {
				t.Errorf("call %d: got %v, want it to wait and be answered", i, err)
			}
		})
	}
	group.Wait()
	b.metered(t, 17)
	if b.client.Open() {
		t.Error("the breaker is open after answers, want it closed")
	}
}

// A call that waits for the breaker can say why, and for how long.
func TestABreakerSaysWhyItIsOpen(t *testing.T) {
	t.Parallel()
	var s switched
	b := setup(t, s.handle(say(500, "out of order")), func(c *mirror.Config) { breaking(c); c.BreakFor = time.Hour })
	if why, left := b.client.Away(); why != "" || left != 0 {
		t.Errorf("before any failure: %q for %s, want nothing", why, left)
	}
	b.trip(t)
	why, left := b.client.Away()
	if !strings.Contains(why, "status 500: out of order") || strings.Contains(why, "/api/") || left <= 0 || left > time.Hour {
		t.Errorf("got %q for %s, want the last failure, whichever request it was, for an hour at most", why, left)
	}
}

// While the breaker is open, a waiting call sends nothing, and ends with its context.
func TestWaitingForTheBreakerEndsWithTheContext(t *testing.T) {
	t.Parallel()
	b := setup(t, say(500, ""), breaking, func(c *mirror.Config) { c.BreakFor = time.Hour })
	b.trip(t)
	if !b.client.Open() {
		t.Fatal("the breaker is closed after 3 failures, want it open")
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { _, err := b.client.Files(ctx, "a/b", 9); failed <- err }()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	go func() { _, err := b.client.Files(t.Context(), "a/b", 9); failed <- err }()
	b.client.Close()
	if err := <-failed; !errors.Is(err, mirror.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	b.metered(t, 9)
}

// Results that say nothing about the mirror's health do not open the breaker.
func TestWhatDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]http.HandlerFunc{
		"throttling":    say(429, ""),
		"final answers": say(404, ""),
		"too large":     say(200, strings.Repeat("x", 1000)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, handle, breaking, func(c *mirror.Config) { c.MaxFiles = 100 })
			for i := range 6 {
				_, _ = b.client.Files(t.Context(), "a/b", i)
			}
			if b.client.Open() {
				t.Error("the breaker is open, want it closed")
			}
		})
	}
	t.Run("cancellation", func(t *testing.T) {
		t.Parallel()
		b := setup(t, say(500, ""), breaking)
		for i := range 6 {
			ctx, cancel := context.WithCancel(t.Context())
			b.meter.permit = func(context.Context, int64) (time.Time, error) { cancel(); return time.Time{}, context.Canceled }
			_, _ = b.client.Files(ctx, "a/b", i)
		}
		if b.client.Open() {
			t.Error("the breaker is open, want it closed")
		}
	})
}

// A miner whose list always fails stops no other: neither among miners that succeed, nor
// when it is the last one of a round.
func TestOneFailingListDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/miners/13/") {
			say(500, "")(w, r)
			return
		}
		say(http.StatusOK, emptyPulls)(w, r)
	}, breaking)
	for range 6 {
		if _, err := b.client.Pulls(t.Context(), "13", windows); !errors.Is(err, mirror.ErrUnavailable) {
			t.Errorf("the failing list: got %v, want ErrUnavailable", err)
		}
		if b.client.Open() {
			t.Fatal("the breaker is open for one failing list, want it closed")
		}
	}
	for range 6 {
		_, _ = b.client.OpenIssues(t.Context(), "13")
		must.Get(b.client.Pulls(t.Context(), "7", windows))(t)
	}
	if b.client.Open() {
		t.Error("the breaker is open while others are answered, want it closed")
	}
}

// A job may give up the probe of a half-open breaker. Then the next call becomes the
// probe. If that turn were lost, all calls would wait for ever.
func TestAProbeThatIsGivenUpMakesWay(t *testing.T) {
	t.Parallel()
	var s switched
	b := setup(t, s.handle(say(500, "")), breaking)
	b.trip(t)
	s.mended.Store(true)
	probing, waited := make(chan struct{}), make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	before := b.meter.permits.Load()
	b.meter.permit = func(ctx context.Context, n int64) (time.Time, error) {
		if n == before+1 {
			close(probing)
			<-ctx.Done()
			return time.Time{}, ctx.Err()
		}
		return time.Now().Add(time.Hour), nil
	}
	probe := make(chan error)
	go func() { _, err := b.client.Files(ctx, "a/b", 1); probe <- err }()
	<-probing
	for i := range 4 {
		go func() { _, err := b.client.Files(t.Context(), "a/b", 10+i); waited <- err }()
	}
	cancel()
	if err := <-probe; !errors.Is(err, context.Canceled) {
		t.Errorf("the probe: got %v, want context.Canceled", err)
	}
	for range 4 {
		if err := <-waited; err != nil {
			t.Errorf("a waiting call: got %v, want it to be answered", err)
		}
	}
}

// A failed probe opens the breaker again. A throttled probe makes way for another.
func TestProbesThatFail(t *testing.T) {
	t.Parallel()
	b := setup(t, then(say(http.StatusOK, emptyFiles),
		say(500, ""), say(500, ""), say(500, ""), say(500, ""), say(500, ""), say(500, ""), say(500, ""), say(500, ""), say(500, ""),
		say(502, ""), say(502, ""), say(502, ""), // the first probe
		say(429, ""), say(429, ""), say(429, ""), // the second one
	), breaking)
	b.trip(t)
	for i, want := range []error{mirror.ErrUnavailable, mirror.ErrUnavailable, nil} {
		if _, err := b.client.Files(t.Context(), "a/b", 10+i); !errors.Is(err, want) {
			t.Errorf("probe %d: got %v, want %v", i, err, want)
		}
	}
	b.metered(t, 16)
}
