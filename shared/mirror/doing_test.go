package mirror_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// A request shows what it waits for: another try and how the last one failed, the breaker,
// a connection.
func TestARequestShowsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	for name, c := range map[string]struct {
		waits, why string
		change     func(*mirror.Config)
		before     func(*bundle, context.Context)
	}{
		"retry":   {doing.Retry, "status 502: no", func(c *mirror.Config) { c.Backoff, c.MaxBackoff = time.Hour, time.Hour }, nil},
		"breaker": {doing.Breaker, "status 502: no", func(c *mirror.Config) { breaking(c); c.BreakFor = time.Hour }, func(b *bundle, _ context.Context) { b.trip(t) }}, //nolint:contextcheck // it has the bundle's own
		"connection": {doing.Connection, "", func(c *mirror.Config) { c.PoolSize = 1 }, func(b *bundle, ctx context.Context) {
			b.meter.permit = func(ctx context.Context, _ int64) (time.Time, error) {
				asked <- struct{}{}
				<-ctx.Done()
				return time.Time{}, ctx.Err()
			}
			go func() { _, _ = b.client.Files(ctx, "a/b", 1) }()
			<-asked
		}},
	} {
		b := setup(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }, c.change)
		ctx, cancel := context.WithCancel(t.Context())
		if c.before != nil {
			c.before(b, ctx)
		}
		var board doing.Board
		under, _ := doing.Begin(doing.With(ctx, &board), "files of a/b#2")
		var request sync.WaitGroup
		request.Go(func() { _, _ = b.client.Files(under, "a/b", 2) })
		var got doing.State
		must.Until(t.Context(), t, name, func() bool { got = board.State(time.Now()); return got.Waits != "" })
		if got.Waits != c.waits || got.Why != c.why || got.What != "files of a/b#2" || (got.For > 0) != (c.waits != doing.Connection) {
			t.Errorf("%s: got %+v, want %s because of %q", name, got, c.waits, c.why)
		}
		cancel()
		request.Wait()
	}
}
