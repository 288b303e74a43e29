package mirror_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// stalled is a meter that holds its permits back until it is told to let them go. It
// signals when a request waits for one.
func stalled() (m *meter, waiting chan struct{}, let func()) {
	waiting, open := make(chan struct{}, 100), make(chan struct{})
	return &meter{permit: func(ctx context.Context, _ int64) (time.Time, error) {
		waiting <- struct{}{}
		select {
		case <-open:
			return time.Now().Add(time.Hour), nil
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}}, waiting, func() { close(open) }
}

// TestTheBackgroundHoldsNobodyUp: while as many requests of the background as possible
// wait for permits, the client's requests still have their places and connections.
func TestTheBackgroundHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	const size = 2
	b := setup(t, say(http.StatusOK, emptyFiles), func(c *mirror.Config) { c.PoolSize = size })
	slow, waiting, let := stalled()
	view := b.client.Background(slow)
	got := make(chan error, 2*size)
	for i := range 2 * size {
		go func() { _, err := view.Files(t.Context(), "a/b", i); got <- err }()
	}
	for range size {
		<-waiting
	}
	for i := range 2 * size {
		must.Get(b.client.Files(t.Context(), "a/b", 10+i))(t)
	}
	b.metered(t, 2*size)
	let()
	for range 2 * size {
		must.Check(t, <-got)
	}
	if stats := view.Stats(); stats.Permits != 2*size || stats.Sent != 2*size || slow.permits.Load() != 2*size {
		t.Errorf("the view's counts are %+v, and %d permits were asked for, want %d of each", stats, slow.permits.Load(), 2*size)
	}
	if stats := b.client.Stats(); stats.Sent != 2*size {
		t.Errorf("the client counts %d requests, want its own %d", stats.Sent, 2*size)
	}
	if open := b.highest.Load(); open > 2*size {
		t.Errorf("%d connections were open, want at most the pool's size of each", open)
	}
}

// TestTheBackgroundLeavesProbesToOthers: it waits for a breaker that others have opened,
// and its probe holds nobody up. If nobody else asks, it sends a probe itself.
func TestTheBackgroundLeavesProbesToOthers(t *testing.T) {
	t.Parallel()
	var s switched
	b := setup(t, s.handle(say(500, "")), breaking, func(c *mirror.Config) { c.BreakFor = 100 * time.Millisecond })
	view := b.client.Background(b.meter)
	b.trip(t)
	began := time.Now()
	s.mended.Store(true)
	got := make(chan error, 1)
	go func() { _, err := view.Files(t.Context(), "a/b", 1); got <- err }()
	must.Check(t, <-got)
	if waited := time.Since(began); waited < 150*time.Millisecond {
		t.Errorf("the background made its probe after %v, want it after twice the time that the breaker is open", waited)
	}

	s.mended.Store(false)
	slow, _, let := stalled()
	defer let()
	held := b.client.Background(slow)
	b.trip(t)
	s.mended.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, err := held.Files(ctx, "a/b", 1); got <- err }()
	must.Get(b.client.Files(t.Context(), "a/b", 2))(t)
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("the background's call: %v, want it to have waited for its permit", err)
	}
}

// TestTheBackgroundsLifeIsTheClients: its meter hears of a cool-down, and Close ends
// both.
func TestTheBackgroundsLifeIsTheClients(t *testing.T) {
	t.Parallel()
	b := setup(t, then(say(http.StatusOK, emptyFiles), say(http.StatusTooManyRequests, "")))
	other := &meter{}
	view := b.client.Background(other)
	must.Get(view.Files(t.Context(), "a/b", 1))(t)
	if got := other.cooled(); len(got) != 1 || len(b.meter.cooled()) != 0 {
		t.Errorf("the view's meter was told of %v, the client's of %v, want the view's to be told", got, b.meter.cooled())
	}
	b.client.Close()
	if err := view.Health(t.Context()); !errors.Is(err, mirror.ErrClosed) {
		t.Errorf("a view of a closed client: %v, want ErrClosed", err)
	}
}
