package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/must"
)

// fail ends a connection without an answer.
func fail(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// page is what Cloudflare may send in the mirror's place.
func page(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html>")
	}
}

// Until there is an answer worth passing on nothing is: it is tried three times, as the
// mirror client does, with a permit each. What the last try got is passed on.
func TestTriesBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	good, bad := say(http.StatusOK, `{"good":1}`), say(http.StatusServiceUnavailable, `{"bad":1}`)
	for name, c := range map[string]struct {
		mirror http.HandlerFunc
		status int
		body   string
		asks   int64
	}{
		"at once":                          {good, 200, `{"good":1}`, 1},
		"after a fault and a broken line":  {then(good, bad, fail), 200, `{"good":1}`, 3},
		"after a page":                     {then(good, page(200)), 200, `{"good":1}`, 2},
		"pages alone":                      {page(200), 200, "<html>", 3},
		"Cloudflare's own fault":           {page(522), 522, "<html>", 3},
		"faults alone":                     {bad, 503, `{"bad":1}`, 3},
		"a final one is tried once":        {say(404, `{"message":"unknown"}`), 404, `{"message":"unknown"}`, 1},
		"one that is not changed":          {say(304, ""), 304, "", 1},
		"a redirect inside the mirror":     {then(good, redirect("/api/v1/health")), 200, `{"good":1}`, 2},
		"a fault of the mirror, then none": {then(good, bad), 200, `{"good":1}`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.mirror)
			got := ask(t.Context(), visitor(t), http.MethodGet, b.url+health, "")
			if got.err != nil || got.status != c.status || got.body != c.body {
				t.Errorf("got %d %q (%v), want %d %q", got.status, got.body, got.err, c.status, c.body)
			}
			if asks, permits := b.asks.Load(), b.meter.permits.Load(); asks != c.asks || permits != c.asks {
				t.Errorf("the mirror saw %d requests with %d permits, want %d of each", asks, permits, c.asks)
			}
		})
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}

// Without a usable answer the gateway says so itself; no client gets a 429, and what the
// mirror asks of the egress it gets.
func TestNoUsableAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mirror http.HandlerFunc
		status int
		asks   int64
	}{
		"no answer":                {fail, 502, 3},
		"a redirect to elsewhere":  {redirect("http://elsewhere.example/"), 502, 3},
		"an answer over the bound": {say(200, strings.Repeat("x", 1001)), 502, 1},
		"throttled": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 503, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.mirror, func(s *settings) { s.gateway.MaxAnswer = 1000 })
			ask(t.Context(), visitor(t), http.MethodGet, b.url+health, "").refused(t, name, c.status)
			if got := b.asks.Load(); got != c.asks {
				t.Errorf("the mirror saw %d requests, want %d", got, c.asks)
			}
			if name == "throttled" {
				if diff := cmp.Diff([]time.Duration{7 * time.Second, 7 * time.Second, 7 * time.Second}, b.meter.cooled()); diff != "" {
					t.Errorf("cool-downs of the egress (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// A body that breaks off, or goes over the bound without having said so, is no whole
// answer to the client either.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]http.HandlerFunc{
		"with a length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "900")
			_, _ = io.WriteString(w, "begun")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"without": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "begun")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"over the bound": func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = io.WriteString(w, strings.Repeat("x", 500))
				_ = http.NewResponseController(w).Flush()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, handle, func(s *settings) { s.gateway.MaxAnswer, s.client.PoolSize = 1000, 1 })
			for range 3 { // and its place is free again
				got := ask(t.Context(), visitor(t), http.MethodGet, b.url+files, "")
				// io.EOF if it broke off before its head was on the way
				if !errors.Is(got.err, io.ErrUnexpectedEOF) && !errors.Is(got.err, io.EOF) {
					t.Errorf("got %d %q, %v, want the answer to break off", got.status, got.body, got.err)
				}
			}
		})
	}
}

// What is of one connection alone is not passed on, in either direction; what would lead
// a client past the gateway is not either; trailers are, and a POST is sent again whole.
func TestHeadersTrailersAndBodies(t *testing.T) {
	t.Parallel()
	headers, bodies := make(chan http.Header, 3), make(chan string, 3)
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		headers <- r.Header.Clone()
		bodies <- string(body)
		if len(bodies) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Connection", "X-Hop")
		h.Set("X-Hop", "1")
		h.Set("Alt-Svc", `h3=":443"`)
		h.Set("ETag", `"e"`)
		h.Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, `{}`)
		h.Set("X-Sum", "42")
	})
	request := must.Get(http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+pulls, strings.NewReader(`{"since_by_repo":{"a/b":"2026-01-01"}}`)))(t)
	for name, value := range map[string]string{
		"Connection": "X-Private", "X-Private": "1", "Proxy-Authorization": "Basic eA==", "Te": "trailers", "Keep-Alive": "5",
		"X-Forwarded-For": "10.0.0.1", "Expect": "100-continue", "User-Agent": "python-requests/2", "Accept-Encoding": "identity",
	} {
		request.Header.Set(name, value)
	}
	response, err := visitor(t).Do(request)
	must.Do(t, err)
	defer response.Body.Close()
	_ = must.Get(io.ReadAll(response.Body))(t)
	if got := response.Header; got.Get("X-Hop") != "" || got.Get("Alt-Svc") != "" || got.Get("ETag") != `"e"` || response.Trailer.Get("X-Sum") != "42" {
		t.Errorf("the client got %v with trailers %v", got, response.Trailer)
	}
	for range 2 {
		if got := <-bodies; got != `{"since_by_repo":{"a/b":"2026-01-01"}}` {
			t.Errorf("the mirror got %q", got)
		}
		got := <-headers
		for _, name := range []string{"X-Private", "Proxy-Authorization", "Keep-Alive", "X-Forwarded-For", "Expect", "Traceparent"} {
			if got.Get(name) != "" {
				t.Errorf("the mirror got %s: %s", name, got.Get(name))
			}
		}
		if got.Get("User-Agent") != "python-requests/2" || got.Get("Accept-Encoding") != "identity" {
			t.Errorf("the mirror got %v, want the client's own headers", got)
		}
	}
}

// A client that is gone in the middle of an answer gives the connection's place back.
func TestAClientGoneInMidAnswerGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == health {
			_, _ = io.WriteString(w, `{}`)
			return
		}
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, strings.Repeat("x", 4096)); err != nil {
				return
			}
		}
	}, func(s *settings) { s.client.PoolSize, s.gateway.Waiting = 1, 1 })
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		request := must.Get(http.NewRequestWithContext(ctx, http.MethodGet, b.url+files, nil))(t)
		response, err := visitor(t).Do(request)
		must.Do(t, err)
		_ = must.Get(io.ReadFull(response.Body, make([]byte, 100_000)))(t)
		cancel()
		response.Body.Close()
		if got := ask(t.Context(), visitor(t), http.MethodGet, b.url+health, ""); got.status != http.StatusOK {
			t.Fatalf("the next client got %d, %v, want the place to be free", got.status, got.err)
		}
	}
}

// What is under way when the gateway ends comes to its end; who comes then finds nobody.
func TestShutdownDrains(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-release
		_, _ = io.WriteString(w, "last")
	}, func(s *settings) { s.grace = patient })
	got := make(chan answer, 1)
	go func() { got <- ask(t.Context(), visitor(t), http.MethodGet, b.url+files, "") }()
	must.Receive(t.Context(), t, begun, "the answer to begin")
	closed := make(chan error, 1)
	go func() { closed <- b.server.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	must.Until(ctx, t, "nobody to be let in", func() bool {
		return ask(ctx, visitor(t), http.MethodGet, b.url+health, "").err != nil
	})
	close(release)
	if a := must.Receive(t.Context(), t, got, "the answer"); a.body != "firstlast" || a.err != nil {
		t.Errorf("got %q, %v, want the whole answer", a.body, a.err)
	}
	must.Do(t, must.Receive(t.Context(), t, closed, "the end"))
}
