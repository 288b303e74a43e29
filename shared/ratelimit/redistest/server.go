package redistest

import (
	"bufio"
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// Server is one redis-server. It comes back on its own port, and empty.
type Server struct {
	Address string // host:port

	args []string // beside the port
	port int
	run  *exec.Cmd // nil while it is killed
}

// Start starts a server with more arguments than the ones that keep it small.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := &Server{args: append([]string{
		"--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tb.TempDir(),
	}, args...)}
	tb.Cleanup(func() { s.Kill() })
	for range 5 { // somebody else may take a free port before the server does
		s.port = nettest.FreePort(tb)
		s.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
		if s.launch(tb) {
			return s
		}
	}
	tb.Fatal("redis-server does not start on any of five free ports")
	return nil
}

// Kill ends the server as a power cut would.
func (s *Server) Kill() {
	if s.run != nil {
		_ = s.run.Process.Kill()
		_ = s.run.Wait()
		s.run = nil
	}
}

// Restart brings a killed server back.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if !s.launch(tb) {
		tb.Fatalf("redis-server does not come back on %s", s.Address)
	}
}

// URL is where a client finds the server.
func (s *Server) URL() string { return "redis://" + s.Address }

// Client returns a client for the test's own questions.
func (s *Server) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: s.Address})
	tb.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// launch returns once the server says that it is ready, false if it does not.
func (s *Server) launch(tb testing.TB) bool {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatal("this test needs redis-server, install it with: apt-get install -y redis-server")
	}
	// The test's context ends before its clean-up, which may still ask the server.
	run := exec.CommandContext(context.WithoutCancel(tb.Context()), path,
		append([]string{"--port", strconv.Itoa(s.port)}, s.args...)...)
	out := must.Get(run.StdoutPipe())(tb)
	must.Do(tb, run.Start())
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			s.run = run
			return true
		}
	}
	_ = run.Wait()
	return false
}

// await asks a server until it answers as wanted: nobody signals that.
func await(tb testing.TB, what string, happened func(context.Context) bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	must.Until(ctx, tb, what, func() bool { return happened(ctx) })
}
