package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mirrorfleet/shared/health"
	"mirrorfleet/shared/lifetest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func setup(t *testing.T, parts ...string) *health.Server {
	t.Helper()
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	s := must.Get(health.Listen(t.Context(), "127.0.0.1:0", metrics, quiet, parts...))(t)
	t.Cleanup(func() { must.Check(t, s.Close()) })
	return s
}

func get(t *testing.T, s *health.Server, path string) (int, string) {
	t.Helper()
	return nettest.Get(t, "http://"+s.Addr()+path)
}

// Ready is only who has all parts; whoever is not says why, part by part, and
// is alive all the while.
func TestReadyWithReasons(t *testing.T) {
	t.Parallel()
	s := setup(t, "nats", "redis")
	ok := func(context.Context) error { return nil }
	hangs := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	for _, step := range []struct {
		name, part string
		check      health.Check
		status     int
		want       map[string]string
	}{
		{"one part is there", "nats", ok, 503, map[string]string{"nats": "ok", "redis": "not there yet"}},
		{"both are", "redis", ok, 200, map[string]string{"nats": "ok", "redis": "ok"}},
		{"one fails", "redis", func(context.Context) error { return errors.New("refused") }, 503, map[string]string{"nats": "ok", "redis": "refused"}},
		{"one hangs", "redis", hangs, 503, map[string]string{"nats": "ok", "redis": "context deadline exceeded"}},
		{"it is back", "redis", ok, 200, map[string]string{"nats": "ok", "redis": "ok"}},
	} {
		s.Set(step.part, step.check)
		status, body := get(t, s, "/readyz")
		var got health.Readiness
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%s: %v in %q", step.name, err, body)
		}
		if status != step.status || got.Ready != (step.status == 200) {
			t.Errorf("%s: got %d, ready %v, want %d", step.name, status, got.Ready, step.status)
		}
		if diff := cmp.Diff(step.want, got.Parts); diff != "" {
			t.Errorf("%s: parts (-want +got):\n%s", step.name, diff)
		}
		if status, _ := get(t, s, "/healthz"); status != 200 {
			t.Errorf("%s: /healthz is %d, want 200", step.name, status)
		}
	}
	if status, body := get(t, s, "/metrics"); status != 200 || body != "up 1\n" {
		t.Errorf("/metrics: got %d %q", status, body)
	}
}

func TestAnAddressInUseIsAnError(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if _, err := health.Listen(t.Context(), s.Addr(), nil, quiet); err == nil {
		t.Error("a second listener on one address was taken, want an error")
	}
	var off *health.Server
	off.Set("nats", nil)
	if off.Addr() != "" || off.Close() != nil {
		t.Error("a server that is off does something")
	}
}

// Whoever asks and leaves does not break a check off: what it finds is kept for a
// while, and what is broken off would begin anew for each who asks.
func TestACheckOutlivesWhoAsked(t *testing.T) {
	t.Parallel()
	s := setup(t, "nats")
	began := make(chan struct{})
	gone := make(chan struct{})
	found := make(chan error, 1)
	s.Set("nats", func(ctx context.Context) error {
		close(began)
		<-gone
		select {
		case <-ctx.Done():
			found <- context.Cause(ctx)
		case <-time.After(100 * time.Millisecond): // a connection that was closed ends its request in a fraction of it
			found <- nil
		}
		return nil
	})
	conn := must.Get((&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr()))(t)
	must.Get(io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"))(t)
	<-began
	must.Do(t, conn.Close())
	close(gone)
	if err := <-found; errors.Is(err, context.Canceled) {
		t.Errorf("the check was broken off: %v", err)
	}
}

// Checks end with the server, which waits for them.
func TestChecksEndWithTheServer(t *testing.T) {
	t.Parallel()
	s := must.Get(health.Listen(t.Context(), "127.0.0.1:0", nil, quiet, "nats"))(t)
	began, found := make(chan struct{}), make(chan error, 1)
	s.Set("nats", func(ctx context.Context) error {
		close(began)
		<-ctx.Done()
		found <- context.Cause(ctx)
		return nil
	})
	conn := must.Get((&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr()))(t)
	defer conn.Close()
	must.Get(io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"))(t)
	<-began
	must.Do(t, s.Close())
	select {
	case <-found: // by its own time, on a machine that is busy enough
	default:
		t.Error("the server was closed before its check had ended")
	}
}

func TestServersStop(t *testing.T) {
	t.Parallel()
	lifetest.Stress(t, 50, func(ctx context.Context) (func() error, error) {
		s, err := health.Listen(ctx, "127.0.0.1:0", nil, quiet, "nats")
		if err != nil {
			return nil, err
		}
		return s.Close, nil
	})
}
