package mirror_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// throttle is an answer in Cloudflare's form.
func throttle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Cf-Ray", "8f0a1b2c3d4e5f60-FRA")
	w.WriteHeader(http.StatusTooManyRequests)
}

// Several concurrent requests get the same 429. Each is reported to the limiter, and one
// log line says what was seen.
func TestACoolDownIsLoggedOnce(t *testing.T) {
	t.Parallel()
	const calls = 5
	var together sync.WaitGroup
	together.Add(calls)
	wait := func(w http.ResponseWriter, r *http.Request) {
		together.Done()
		together.Wait()
		throttle(w, r)
	}
	var log bytes.Buffer
	first := make([]http.HandlerFunc, calls)
	for i := range first {
		first[i] = wait
	}
	b := setup(t, then(say(http.StatusOK, emptyFiles), first...), func(c *mirror.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			if _, err := b.client.Files(t.Context(), "a/b", i); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := len(b.meter.cooled()); got != calls {
		t.Errorf("the limiter was told %d times, want %d", got, calls)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("%d lines were logged, want one:\n%s", lines, log.String())
	}
	for _, want := range []string{"status=429", "retry_after=1", "cf_ray=8f0a1b2c3d4e5f60-FRA", "for=1s"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("logged %q, want %s in it", log.String(), want)
		}
	}
}

// A cool-down fails no request. The request with the 429 keeps its further tries, and the
// others wait. Afterwards permits come one by one, without a herd.
func TestACoolDownFailsNoRequest(t *testing.T) {
	t.Parallel()
	store := miniredis.RunT(t)
	rdb := must.Get(ratelimit.NewClient("redis://"+store.Addr(), 0))(t)
	t.Cleanup(func() { _ = rdb.Close() })
	quiet := slog.New(slog.DiscardHandler)
	limiter := must.Get(ratelimit.New(ratelimit.Config{Window: time.Second, Horizon: 100 * time.Millisecond, Log: quiet}, rdb))(t)
	t.Cleanup(func() { _ = limiter.Close() })

	var mu sync.Mutex
	var heard time.Time // before the 429 leaves the server
	var arrived []time.Time
	b := setup(t, then(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if !heard.IsZero() {
			arrived = append(arrived, time.Now())
		}
		mu.Unlock()
		say(http.StatusOK, emptyFiles)(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		heard = time.Now()
		mu.Unlock()
		throttle(w, r)
	}))
	client := b.another(t, func(c *mirror.Config) { c.Meter, c.PoolSize = limiter, 4 })
	var all sync.WaitGroup
	const calls = 12
	for i := range calls {
		all.Go(func() {
			if _, err := client.Files(t.Context(), "a/b", i); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	all.Wait()
	state := must.Get(limiter.State(t.Context()))(t)
	if got := len(b.saw()); got != calls+1 || state.CoolDowns != 1 {
		t.Errorf("the server saw %d requests, %d cool-downs; want %d, the throttled one again, and 1", got, state.CoolDowns, calls+1)
	}
	early := 0
	for _, at := range arrived {
		if at.Sub(heard) < time.Second {
			early++ // was under way when the 429 came
		}
	}
	if early > 3 { // the other places of the pool
		t.Errorf("%d requests arrived in the cool-down, want at most those that were under way", early)
	}
}
