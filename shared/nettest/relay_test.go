package nettest_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRelay: what the other tests rely on when they call a network slow or cut.
func TestRelay(t *testing.T) {
	t.Parallel()
	one, other := redistest.Start(t), redistest.Start(t)
	relay := nettest.NewRelay(t, one.Address)
	client := redis.NewClient(&redis.Options{Addr: relay.Address, MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	name := func() (string, error) { return client.Get(t.Context(), "name").Result() }
	for server, name := range map[*redistest.Server]string{one: "one", other: "other"} {
		must.Do(t, server.Client(t).Set(t.Context(), "name", name, 0).Err())
	}
	if got, err := name(); got != "one" {
		t.Errorf("through a relay: %q, %v, want one", got, err)
	}
	relay.Delay(50*time.Millisecond, 60*time.Millisecond)
	began := time.Now()
	if got, err := name(); got != "one" || time.Since(began) < 100*time.Millisecond {
		t.Errorf("through a slow relay: %q, %v after %v, want one after 100ms or more", got, err, time.Since(began))
	}
	relay.Delay(0, 0, nettest.Up)
	began = time.Now()
	if got, err := name(); got != "one" || time.Since(began) < 50*time.Millisecond {
		t.Errorf("through a relay that is slow one way: %q, %v after %v, want one after 50ms or more", got, err, time.Since(began))
	}
	relay.Delay(0, 0)
	relay.Cut()
	if got, err := name(); err == nil {
		t.Errorf("through a cut relay: %q, want an error", got)
	}
	relay.Mend()
	if got, err := name(); got != "one" {
		t.Errorf("through a mended relay: %q, %v, want one", got, err)
	}
	relay.Silence()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if got, err := client.Get(ctx, "name").Result(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("through a silent relay: %q, %v, want nothing until the deadline", got, err)
	}
	relay.Mend()
	_, _ = name() // a connection of before may be found broken only by its use
	relay.Hold(nettest.Up, nettest.Down)
	answered := make(chan string)
	go func() { got, _ := name(); answered <- got }()
	select {
	case got := <-answered:
		t.Errorf("through a held relay: %q, want nothing", got)
	case <-time.After(50 * time.Millisecond):
	}
	relay.Release()
	if got := <-answered; got != "one" {
		t.Errorf("through a relay that was let go: %q, want one", got)
	}
	relay.Redirect(other.Address)
	_, _ = name() // a connection of before may be found broken only by its use
	if got, err := name(); got != "other" {
		t.Errorf("through a redirected relay: %q, %v, want other", got, err)
	}
}
