package mirror_test

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// secure is a mirror over TLS that offers HTTP/2, and clients that trust it.
type secure struct {
	*bundle

	listener *holding
	requests atomic.Int64
	http2    atomic.Int64
}

// holding is a listener whose connections wait for free before they read anything, so
// that a handshake takes as long.
type holding struct {
	net.Listener

	accepted atomic.Int64
	first    sync.Once
	begun    chan struct{} // closed with the first connection
	free     chan struct{}
}

func (h *holding) Accept() (net.Conn, error) {
	conn, err := h.Listener.Accept()
	if err == nil {
		h.accepted.Add(1)
		h.first.Do(func() { close(h.begun) })
		conn = held{conn, h.free}
	}
	return conn, err
}

type held struct {
	net.Conn

	free chan struct{}
}

func (h held) Read(p []byte) (int, error) {
	<-h.free
	return h.Conn.Read(p)
}

func setupSecure(t *testing.T, handle http.HandlerFunc) *secure {
	t.Helper()
	s := &secure{bundle: setup(t, say(http.StatusOK, health))}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if r.ProtoMajor == 2 {
			s.http2.Add(1)
		}
		handle(w, r)
	}))
	s.listener = &holding{Listener: server.Listener, begun: make(chan struct{}), free: make(chan struct{})}
	server.Listener = s.listener
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // refused handshakes are meant
	server.StartTLS()
	t.Cleanup(server.Close)
	s.server = server
	s.client = s.trusting(t)
	return s
}

// trusting makes a client that trusts the test's certificate.
func (s *secure) trusting(t *testing.T, change ...func(*mirror.Config)) *mirror.Client {
	t.Helper()
	client := s.another(t, change...)
	roots := x509.NewCertPool()
	roots.AddCert(s.server.Certificate())
	mirror.Trust(client, roots)
	return client
}

// A connection that takes long to make costs no permit and lets none expire: a request
// takes its permit when it can leave at once.
func TestAPermitIsTakenWhenTheConnectionIsThere(t *testing.T) {
	t.Parallel()
	s := setupSecure(t, say(http.StatusOK, health))
	var early atomic.Bool
	s.meter.permit = func(context.Context, int64) (time.Time, error) {
		select {
		case <-s.listener.free:
		default:
			early.Store(true)
		}
		return time.Now().Add(time.Hour), nil
	}
	answered := make(chan error, 1)
	go func() { answered <- s.client.Health(t.Context()) }()
	<-s.listener.begun // the handshake waits for free
	close(s.listener.free)
	must.Do(t, <-answered)
	if early.Load() {
		t.Error("a permit was taken before there was a connection")
	}
	if got := s.client.Stats(); got.Permits != 1 || got.Sent != 1 || s.http2.Load() != 1 {
		t.Errorf("got %+v, %d of the requests by HTTP/2; want one of each", got, s.http2.Load())
	}
}

// HTTP/2 is used where it is offered, and one connection then carries everything. A
// stranger's certificate is refused.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	s := setupSecure(t, say(http.StatusOK, health))
	close(s.listener.free)
	const calls = 32
	if err := s.client.Health(t.Context()); err != nil { // makes the connection
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range calls {
		group.Go(func() { must.Check(t, s.client.Health(t.Context())) })
	}
	group.Wait()
	if got := s.http2.Load(); got != calls+1 || s.listener.accepted.Load() != 1 {
		t.Errorf("%d requests by HTTP/2 over %d connections, want %d over 1", got, s.listener.accepted.Load(), calls+1)
	}
	if got := s.client.Stats(); got.Permits != calls+1 || got.Sent != calls+1 {
		t.Errorf("got %+v, want a permit for each of %d requests", got, calls+1)
	}
	stranger := s.another(t)
	if err := stranger.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want the stranger's certificate refused", err)
	}
}

// Without a permit nothing is written, by either protocol: when the meter refuses, and
// when the job is given up while it waits.
func TestNothingIsWrittenWithoutAPermit(t *testing.T) {
	t.Parallel()
	refused := errors.New("the limiter is closed")
	for name, change := range map[string]func(*mirror.Client){
		"HTTP/2":            func(*mirror.Client) {},
		"HTTP/1.1 over TLS": mirror.WithoutHTTP2,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setupSecure(t, say(http.StatusOK, health))
			close(s.listener.free)
			change(s.client)
			if err := s.client.Health(t.Context()); err != nil { // a connection is kept
				t.Fatal(err)
			}
			s.meter.permit = func(context.Context, int64) (time.Time, error) { return time.Time{}, refused }
			if err := s.client.Health(t.Context()); !errors.Is(err, refused) {
				t.Errorf("refused: got %v, want the meter's error", err)
			}
			for range 50 { // a cancelled request races with its own writing
				ctx, cancel := context.WithCancel(t.Context())
				s.meter.permit = func(ctx context.Context, _ int64) (time.Time, error) {
					cancel()
					return time.Time{}, ctx.Err()
				}
				if err := s.client.Health(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("given up: got %v, want context.Canceled", err)
				}
			}
			s.meter.permit = nil
			if err := s.client.Health(t.Context()); err != nil {
				t.Errorf("the next call: got %v, want it to be answered", err)
			}
			if got := s.client.Stats(); got.Permits != 2 || got.Sent != 2 || s.requests.Load() != 2 {
				t.Errorf("got %+v and %d requests at the server, want 2 of each", got, s.requests.Load())
			}
		})
	}
}
