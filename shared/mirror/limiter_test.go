package mirror_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// told signals when a cool-down has been written.
type told struct {
	*ratelimit.Limiter

	cooled chan struct{}
}

func (m told) CoolDown(ctx context.Context, d time.Duration) error {
	defer close(m.cooled)
	return m.Limiter.CoolDown(ctx, d)
}

// The fleet's own limiter meters the client. Each request has one of its permits, and a
// 429 stops the egress in Redis, for every process.
func TestWithTheFleetsLimiter(t *testing.T) {
	t.Parallel()
	store := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: store.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { rdb.Close() })
	// The limit is so wide that no wait is longer than a moment.
	limiter := must.Get(ratelimit.New(ratelimit.Config{
		Egress: "test", Limit: 5000, Window: time.Second, Horizon: 250 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}, rdb))(t)
	t.Cleanup(func() { limiter.Close() })

	b := setup(t, say(http.StatusOK, emptyFiles))
	client := b.another(t, func(c *mirror.Config) { c.Meter = limiter })
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			if _, err := client.Files(t.Context(), "a/b", i); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	state := must.Get(limiter.State(t.Context()))(t)
	stats := client.Stats()
	if got := int64(len(b.saw())); got != 40 || stats.Sent != 40 || stats.Permits != 40 {
		t.Errorf("the server saw %d requests, counts %+v, want 40 of each", got, stats)
	}
	if state.Granted < stats.Permits+stats.Late {
		t.Errorf("the limiter granted %d, want at least the %d that were taken", state.Granted, stats.Permits+stats.Late)
	}

	// A job gets a 429. The next permit is minutes away, for all.
	b = setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "500")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	cooled := make(chan struct{})
	client = b.another(t, func(c *mirror.Config) { c.Meter = told{limiter, cooled} })
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- client.Health(ctx) }()
	<-cooled
	state = must.Get(limiter.State(t.Context()))(t)
	if state.CoolDown > 500*time.Second || state.CoolDown < 400*time.Second {
		t.Errorf("the egress cools down for %s more, want nearly 500 s", state.CoolDown)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the job to wait for a permit until it is given up", err)
	}
	if got := len(b.saw()); got != 1 {
		t.Errorf("the server saw %d requests, want none after the 429", got)
	}
}
