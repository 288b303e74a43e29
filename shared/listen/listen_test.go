package listen_test

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/must"
)

// After a header that is too long net/http waits for half a second, and ends by itself.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// serve serves an empty page with at most so many connections.
func serve(t *testing.T, connections int, change func(*http.Server)) string {
	t.Helper()
	listener := must.Get(listen.On(t.Context(), "127.0.0.1:0", connections))(t)
	s := listen.HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), time.Minute, slog.New(slog.DiscardHandler))
	change(s)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	t.Cleanup(func() {
		must.Check(t, s.Close())
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// client is one raw connection.
type client struct {
	net.Conn

	t     *testing.T
	lines *bufio.Reader
}

func connect(t *testing.T, address string) *client {
	t.Helper()
	conn := must.Get(new(net.Dialer).DialContext(t.Context(), "tcp", address))(t)
	t.Cleanup(func() { _ = conn.Close() })
	return &client{conn, t, bufio.NewReader(conn)}
}

func (c *client) says(text string) {
	c.t.Helper()
	_, err := io.WriteString(c, text)
	must.Do(c.t, err)
}

const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// answered reads an answer to its empty line.
func (c *client) answered() {
	c.t.Helper()
	for first := true; ; first = false {
		line, err := c.lines.ReadString('\n')
		if err != nil || first && !strings.Contains(line, " 200 ") {
			c.t.Fatalf("answered %q, %v, want 200", line, err)
		}
		if line == "\r\n" {
			return
		}
	}
}

// ends waits until the server closes the connection.
func (c *client) ends() {
	c.t.Helper()
	_, err := io.Copy(io.Discard, c.lines)
	must.Check(c.t, err)
}

// TestAHeaderThatNeverEnds: whoever drips a header, or says nothing, is cut.
func TestAHeaderThatNeverEnds(t *testing.T) {
	t.Parallel()
	address := serve(t, 8, func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond })
	for _, text := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
		c := connect(t, address)
		c.says(text)
		c.ends()
	}
}

// TestAnIdleConnectionEnds, and so does one whose header is too long.
func TestAnIdleConnectionEnds(t *testing.T) {
	t.Parallel()
	address := serve(t, 8, func(s *http.Server) { s.IdleTimeout = 50 * time.Millisecond })
	c := connect(t, address)
	c.says(request)
	c.answered()
	c.ends()
	large := connect(t, address)
	large.says("GET / HTTP/1.1\r\nHost: x\r\nX-Large: ")
	_, _ = io.WriteString(large, strings.Repeat("x", 64<<10)) // it may be cut in the middle
	if line, err := large.lines.ReadString('\n'); err == nil && !strings.Contains(line, " 431 ") {
		t.Errorf("a header of 64 kB is answered %q, want 431", line)
	}
}

// TestConnectionsAreBounded: of five that stay, two are served at once, and each of
// the others when one has gone.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	const maximum, all = 2, 5
	var mu sync.Mutex
	open, highest := 0, 0
	address := serve(t, maximum, func(s *http.Server) {
		s.ConnState = func(_ net.Conn, state http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			switch state {
			case http.StateNew:
				open++
				highest = max(highest, open)
			case http.StateClosed:
				open--
			case http.StateActive, http.StateIdle, http.StateHijacked:
			}
		}
	})
	var clients []*client
	for range all { // the system's queue has those that are not served yet
		c := connect(t, address)
		c.says(request)
		clients = append(clients, c)
	}
	for _, c := range clients {
		c.answered()
		must.Do(t, c.Close())
	}
	mu.Lock()
	defer mu.Unlock()
	if highest != maximum {
		t.Errorf("%d connections at once, want %d", highest, maximum)
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "127.8.8.8:1": true, "[::1]:1": true, "localhost:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.org:1": false, "x": false,
	} {
		if got := listen.Loopback(address); got != want {
			t.Errorf("%s: %t, want %t", address, got, want)
		}
	}
}
