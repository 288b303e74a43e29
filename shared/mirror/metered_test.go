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

// Every sending has a permit, including redirects and retries. A late permit is thrown
// away for another.
func TestPermitsAreRequests(t *testing.T) {
	t.Parallel()
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"/moved?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
	}
	b := setup(t, then(say(http.StatusOK, emptyPulls), redirect, redirect, say(500, ""), redirect),
		func(c *mirror.Config) { c.PoolSize = 1 }) // a redirect must have given its place back
	b.meter.permit = func(_ context.Context, n int64) (time.Time, error) {
		if n%3 == 0 {
			return time.Now().Add(-time.Millisecond), nil // too old already
		}
		return time.Now().Add(time.Hour), nil
	}
	var own, other atomic.Int64
	ctx := mirror.WithCounter(t.Context(), &own)
	must.Get(b.client.Pulls(ctx, "7", windows))(t)
	b.metered(t, 5)
	if got := b.client.Stats(); got.Late != 2 || got.Resent != 0 {
		t.Errorf("got %+v, want 2 of 7 permits late and nothing resent", got)
	}
	for i, r := range b.saw() {
		if r.method != "POST" || r.body != b.saw()[0].body || r.body == "" || r.query != "limit=200" {
			t.Errorf("request %d: got %s ?%s %q, want the question kept through redirects", i, r.method, r.query, r.body)
		}
	}
	must.Get(b.client.Pulls(mirror.WithCounter(t.Context(), &other), "7", windows))(t)
	if own.Load() != 5 || other.Load() != 1 {
		t.Errorf("the jobs counted %d and %d requests, want 5 and 1", own.Load(), other.Load())
	}
}

func TestNothingIsSentWithoutAPermit(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, health), func(c *mirror.Config) { c.PoolSize = 1 })
	refused := errors.New("the limiter is closed")
	b.meter.permit = func(context.Context, int64) (time.Time, error) { return time.Time{}, refused }
	for range 2 { // the second call needs the first one's place
		err := b.client.Health(t.Context())
		if !errors.Is(err, refused) || errors.Is(err, mirror.ErrFinal) || errors.Is(err, mirror.ErrUnavailable) {
			t.Errorf("got %v, want the meter's error and no class of the mirror's", err)
		}
	}
	if got := b.meter.permits.Load(); got != 2 {
		t.Errorf("asked for %d permits, want one a call: no further try helps", got)
	}
	if got := len(b.saw()); got != 0 {
		t.Errorf("the server saw %d requests, want none", got)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the lease is lost")
	b.meter.permit = func(ctx context.Context, _ int64) (time.Time, error) {
		cancel(cause)
		<-ctx.Done()
		return time.Now().Add(time.Hour), nil // a meter that does not look
	}
	if err := b.client.Health(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("got %v, want context.Canceled and its cause", err)
	}
	if got := len(b.saw()); got != 0 {
		t.Errorf("the server saw %d requests of a job that was given up, want none", got)
	}
}

// Every end of a request gives its place back. With one place, a leftover would stop the
// next call for ever.
func TestPlacesAreGivenBack(t *testing.T) {
	t.Parallel()
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		permit func(context.Context, int64) (time.Time, error)
	}{
		"204":                  {handle: say(204, "")},
		"304":                  {handle: say(304, "")},
		"a large error page":   {handle: say(502, strings.Repeat("x", 1<<20))},
		"too large":            {handle: say(200, strings.Repeat("x", 1<<20))},
		"a cut body":           {handle: cut},
		"a reset":              {handle: reset},
		"a refused redirect":   {handle: away},
		"a redirect to nobody": {handle: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) }},
		"a broken redirect": {handle: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[::1")
			w.WriteHeader(http.StatusFound)
		}},
		"a meter that panics": {
			handle: say(200, health),
			permit: func(context.Context, int64) (time.Time, error) { panic("the meter") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken := atomic.Bool{}
			broken.Store(true)
			b := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if broken.Load() {
					c.handle(w, r)
					return
				}
				say(200, health)(w, r)
			}, func(c *mirror.Config) { c.PoolSize = 1; c.MaxFiles = 1000 })
			b.meter.permit = c.permit
			func() {
				defer func() { _ = recover() }()
				if _, err := b.client.Files(t.Context(), "a/b", 1); err == nil {
					t.Error("got no error, want the scenario to fail")
				}
			}()
			broken.Store(false)
			b.meter.permit = nil
			if err := b.client.Health(t.Context()); err != nil {
				t.Errorf("the next call: got %v, want it to be answered", err)
			}
		})
	}
}

func TestACancelledCallGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/files") {
			arrived <- struct{}{}
			<-r.Context().Done()
		}
		say(200, health)(w, r)
	}, func(c *mirror.Config) { c.PoolSize = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { _, err := b.client.Files(ctx, "a/b", 1); failed <- err }()
	<-arrived
	waiting, stop := context.WithCancel(t.Context())
	stop()
	if err := b.client.Health(waiting); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a place: got %v, want context.Canceled", err)
	}
	cancel()
	err := <-failed
	if !errors.Is(err, context.Canceled) || errors.Is(err, mirror.ErrUnavailable) {
		t.Errorf("got %v, want context.Canceled alone", err)
	}
	if err := b.client.Health(t.Context()); err != nil {
		t.Errorf("the next call: got %v, want it to be answered", err)
	}
}

func TestRedirectsThatAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := setup(t, say(http.StatusOK, emptyPulls))
	to := func(status int, location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(status)
		}
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		status int
		tries  int // requests of each of the three tries
		want   string
	}{
		"to another host":      {to(307, elsewhere.server.URL+"/x"), 307, 1, "want it to stay at"},
		"to another scheme":    {to(307, "https://mirror.invalid/"), 307, 1, "want it to stay at"},
		"with credentials":     {nil, 307, 1, "credentials"},
		"301, a POST to a GET": {to(301, "/x"), 301, 1, "turns POST into GET"},
		"303, a POST to a GET": {to(303, "/x"), 303, 1, "turns POST into GET"},
		"in a circle":          {to(308, "/x"), 308, 4, "want at most 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handle := c.handle
			if handle == nil {
				handle = func(w http.ResponseWriter, r *http.Request) { to(307, "http://user:secret@"+r.Host+"/x")(w, r) }
			}
			b := setup(t, handle)
			_, err := b.client.Pulls(t.Context(), "7", windows)
			var failed *mirror.RequestError
			if !errors.As(err, &failed) || failed.Status != c.status || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a *RequestError of status %d: %s", err, c.status, c.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, want no credentials in it", err)
			}
			b.metered(t, 3*c.tries)
		})
	}
	t.Cleanup(func() {
		if got := len(elsewhere.saw()); got != 0 {
			t.Errorf("the other host saw %d requests, want none", got)
		}
	})
}

// 64 calls at once make no more connections than the pool has places. Calls one after
// another make one connection.
func TestConnections(t *testing.T) {
	t.Parallel()
	const size, calls = 4, 64
	var under, highest atomic.Int64
	full := make(chan struct{})
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		now := under.Add(1)
		defer under.Add(-1)
		for m := highest.Load(); now > m && !highest.CompareAndSwap(m, now); m = highest.Load() {
			continue
		}
		if now == size {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		<-full // until as many requests are under way as are allowed
		say(http.StatusOK, emptyFiles)(w, r)
	}, func(c *mirror.Config) { c.PoolSize = size })
	var group sync.WaitGroup
	for i := range calls {
		group.Go(func() {
			if _, err := b.client.Files(t.Context(), "a/b", i); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	b.metered(t, calls)
	if got := b.highest.Load(); got > size {
		t.Errorf("%d connections were open at once, want at most %d", got, size)
	}
	if got := highest.Load(); got != size {
		t.Errorf("%d requests were under way at once, want the pool's %d to be used", got, size)
	}

	b = setup(t, then(say(http.StatusOK, emptyFiles), say(500, "oops"), say(404, "no"), say(204, ""), say(200, "<html>")))
	for i := range 8 {
		_, _ = b.client.Files(t.Context(), "a/b", i)
	}
	if got := b.connections.Load(); got != 1 {
		t.Errorf("%d connections for calls one after another, failed ones among them, want 1", got)
	}
}
