package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"mirrorfleet/shared/mirror"
)

// TestProbeAsksOnce: there is one request under one permit, whatever the answer. The
// answer is reported as it is.
func TestProbeAsksOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		want   mirror.Reached
		cools  int
	}{
		"well": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) }, mirror.Reached{Status: 200, Mirror: true}, 0},
		"ill": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"status":"down"}`)
		}, mirror.Reached{Status: 503, Mirror: true}, 0},
		"no mirror":  {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, mirror.Reached{Status: 200}, 0},
		"elsewhere":  {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, mirror.Reached{Status: 302}, 0},
		"over limit": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, mirror.Reached{Status: 429}, 1},
	} {
		b := setup(t, c.handle)
		got, err := b.client.Probe(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got.Latency < 0 || got.Latency > time.Minute || got.Protocol != "HTTP/1.1" {
			t.Errorf("%s: %+v", name, got)
		}
		// The date has whole seconds.
		if got.Date.Before(got.Sent.Add(-time.Second)) || got.Date.After(got.Answered) {
			t.Errorf("%s: %+v, want a date between the request and the answer", name, got)
		}
		got.Latency = 0
		got.Protocol = ""
		got.Date = time.Time{}
		got.Sent = time.Time{}
		got.Answered = time.Time{}
		if got != c.want || len(b.meter.cooled()) != c.cools {
			t.Errorf("%s: got %+v and %d cool-downs, want %+v and %d", name, got, len(b.meter.cooled()), c.want, c.cools)
		}
		b.mu.Lock()
		if len(b.requests) != 1 || b.requests[0].path != "/api/v1/health" || b.meter.permits.Load() != 1 {
			t.Errorf("%s: requests %+v under %d permits, want one of each", name, b.requests, b.meter.permits.Load())
		}
		b.mu.Unlock()
	}
}

// TestProbeSaysWhyThereIsNoAnswer: no server listens, no permit comes, or the client is
// closed. Nothing is sent.
func TestProbeSaysWhyThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, func(http.ResponseWriter, *http.Request) {})
	none := errors.New("held")
	b.meter.permit = func(context.Context, int64) (time.Time, error) { return time.Time{}, none }
	if _, err := b.client.Probe(t.Context()); !errors.Is(err, none) {
		t.Errorf("without a permit: %v, want %v", err, none)
	}
	b.server.Close()
	if _, err := b.another(t).Probe(t.Context()); err == nil {
		t.Error("nobody listens: want an error")
	}
	closed := b.another(t)
	closed.Close()
	if _, err := closed.Probe(t.Context()); err == nil {
		t.Error("a closed client: want an error")
	}
	if len(b.requests) != 0 {
		t.Errorf("%d requests, want none", len(b.requests))
	}
}

// TestProbeTellsTLS: it reports version, protocol, and the end of the certificate.
func TestProbeTellsTLS(t *testing.T) {
	t.Parallel()
	s := setupSecure(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) })
	close(s.listener.free)
	got, err := s.client.Probe(t.Context())
	if err != nil || got.TLS != "TLS 1.3" || got.Protocol != "HTTP/2.0" || !got.Expires.Equal(s.server.Certificate().NotAfter) {
		t.Errorf("%+v, %v", got, err)
	}
}
