package ratelimit_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"mirrorfleet/shared/ratelimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a Redis that a test can take away and bring back, on one address. It
// comes back empty.
type server struct {
	url         string
	start, stop func(t *testing.T)
	// tellsRunID: the embedded one has none.
	tellsRunID bool
}

// servers are what the conformance suite runs against: the embedded Redis and a
// real redis-server.
var servers = map[string]func(testing.TB) *server{"embedded": embedded, "redis-server": process}

func embedded(tb testing.TB) *server {
	tb.Helper()
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(m.Close)

	return &server{
		url:  "redis://" + m.Addr(),
		stop: func(*testing.T) { m.Close() },
		start: func(t *testing.T) {
			t.Helper()
			m.FlushAll()
			if err := m.Restart(); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// process starts a redis-server that keeps nothing.
func process(tb testing.TB) *server {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatal("this test needs redis-server, install it with: apt-get install -y redis-server")
	}
	var run *exec.Cmd
	stop := func() {
		if run != nil {
			_ = run.Process.Kill()
			_ = run.Wait()
			run = nil
		}
	}
	tb.Cleanup(stop)
	port := 0
	for range 5 { // somebody else may take a free port before the server does
		port = freePort(tb)
		if run = launch(tb, path, port); run != nil {
			break
		}
	}
	if run == nil {
		tb.Fatal("redis-server does not start on any of five free ports")
	}

	return &server{
		url:        fmt.Sprintf("redis://127.0.0.1:%d", port),
		tellsRunID: true,
		stop:       func(*testing.T) { stop() },
		start: func(t *testing.T) {
			t.Helper()
			if run = launch(t, path, port); run == nil {
				t.Fatalf("redis-server does not come back on port %d", port)
			}
		},
	}
}

func freePort(tb testing.TB) int {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()

	return listener.Addr().(*net.TCPAddr).Port
}

// launch returns once the server says that it is ready, nil if it does not.
func launch(tb testing.TB, path string, port int) *exec.Cmd {
	tb.Helper()
	run := exec.CommandContext(context.WithoutCancel(tb.Context()), path, "--port", strconv.Itoa(port),
		"--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tb.TempDir())
	out, err := run.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := run.Start(); err != nil {
		tb.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			return run
		}
	}
	_ = run.Wait()

	return nil
}

// quick is the limit of the mirror with everything ten times as fast: 48 slots in
// 1.2 s, one each 25 ms. The long jitter suits busy machines.
func quick() ratelimit.Config {
	return ratelimit.Config{
		Window: time.Second, Jitter: 200 * time.Millisecond, Horizon: 500 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
	}
}

// awaitListener waits until a limiter hears the words of others.
func (s *server) awaitListener(t *testing.T) {
	t.Helper()
	rdb := s.client(t)
	await(t, "a listener", func() bool {
		listening, err := rdb.PubSubNumSub(t.Context(), ratelimit.Channel(ratelimit.DefaultEgress)).Result()

		return err == nil && listening[ratelimit.Channel(ratelimit.DefaultEgress)] > 0
	})
}

// client returns a client of a server as the commands make it.
func (s *server) client(tb testing.TB) *redis.Client {
	tb.Helper()
	rdb, err := ratelimit.NewClient(s.url, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = rdb.Close() })

	return rdb
}

// limiter returns a limiter with a client of its own, as a process has.
func (s *server) limiter(tb testing.TB, cfg ratelimit.Config) *ratelimit.Limiter {
	tb.Helper()
	l, err := ratelimit.New(cfg, s.client(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })

	return l
}

// signals is a log handler that tells a test what was logged, in order.
type signals struct {
	slog.Handler

	messages chan string
}

func newSignals() signals { return signals{slog.DiscardHandler, make(chan string, 64)} }

func (s signals) Enabled(context.Context, slog.Level) bool { return true }

func (s signals) Handle(_ context.Context, record slog.Record) error {
	s.messages <- record.Message

	return nil
}

// want waits for the next message and checks that it is the right one.
func (s signals) want(t *testing.T, part string) {
	t.Helper()
	select {
	case got := <-s.messages:
		if !strings.Contains(got, part) {
			t.Fatalf("logged %q, want %q", got, part)
		}
	case <-t.Context().Done():
		t.Fatalf("nothing logged, want %q", part)
	}
}
