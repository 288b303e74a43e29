package mirror_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// stale gives each connection one answer and keeps it alive by its header. It closes the
// connection without an answer when the next request has come in. This happens when the
// mirror's idle time-out and a request meet.
type stale struct {
	listener net.Listener
	requests atomic.Int64
	group    sync.WaitGroup
	// first holds the first answers back until so many are requested, each on a
	// connection of its own.
	first sync.WaitGroup
	left  atomic.Int64
}

func serveStale(t *testing.T, first int) *stale {
	t.Helper()
	listener := must.Get(net.Listen("tcp", "127.0.0.1:0"))(t)
	s := &stale{listener: listener}
	s.first.Add(first)
	s.left.Store(int64(first))
	t.Cleanup(func() { listener.Close(); s.group.Wait() })
	s.group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.group.Go(func() { s.one(conn) })
		}
	})
	return s
}

func (s *stale) one(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for answered := false; ; answered = true {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = in.Discard(int(max(r.ContentLength, 0)))
		s.requests.Add(1)
		if answered {
			return
		}
		if s.left.Add(-1) >= 0 {
			s.first.Done()
			s.first.Wait()
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(emptyPulls), emptyPulls)
	}
}

// getIssues sends a GET, which net/http repeats by itself.
func getIssues(ctx context.Context, c *mirror.Client) error {
	_, err := c.OpenIssues(ctx, "7")
	return err
}

// postPulls sends a POST.
func postPulls(ctx context.Context, c *mirror.Client) error {
	_, err := c.Pulls(ctx, "7", windows)
	return err
}

// net/http repeats a GET by itself when a kept-alive connection closes under it, as often
// as it has such connections. Each sending takes a permit of its own. It does not repeat
// a POST: the client's own try takes the permit.
func TestWhatNetHTTPSendsAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask  func(context.Context, *mirror.Client) error
		kept int // connections that are kept alive, and close under the next request
		// minimum and maximum are how often net/http repeats the request. They differ
		// because it is open how many connections are back in the pool by then.
		minimum, maximum int64
	}{
		"GET":                    {getIssues, 1, 1, 1},
		"GET, the pool is stale": {getIssues, 8, 2, 8},
		"POST":                   {postPulls, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveStale(t, c.kept)
			b := setup(t, say(200, health))
			client := b.another(t, func(cfg *mirror.Config) {
				cfg.BaseURL, cfg.PoolSize = "http://"+s.listener.Addr().String(), c.kept
			})
			var all sync.WaitGroup
			for range c.kept {
				all.Go(func() { must.Check(t, c.ask(t.Context(), client)) })
			}
			all.Wait()
			must.Do(t, c.ask(t.Context(), client))
			got, seen := client.Stats(), s.requests.Load()
			if got.Resent < c.minimum || got.Resent > c.maximum {
				t.Errorf("net/http sent again %d times, want %d to %d", got.Resent, c.minimum, c.maximum)
			}
			if got.Sent != seen || got.Permits != seen || b.meter.permits.Load() != seen {
				t.Errorf("the server saw %d requests, counts %+v, %d permits granted; want as many of each", seen, got, b.meter.permits.Load())
			}
			t.Logf("%d requests, %d of them sent again by net/http, %d permits", seen, got.Resent, got.Permits)
		})
	}
}

// Without a permit, a request that net/http would repeat is not sent, whatever withholds
// the permit.
func TestNothingIsSentAgainWithoutAPermit(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(context.CancelFunc, context.Context) error{
		"the limiter is closed": func(context.CancelFunc, context.Context) error { return errors.New("closed") },
		"the job is given up": func(cancel context.CancelFunc, ctx context.Context) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveStale(t, 1)
			b := setup(t, say(200, health))
			client := b.another(t, func(c *mirror.Config) { c.BaseURL = "http://" + s.listener.Addr().String() })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			b.meter.permit = func(ctx context.Context, n int64) (time.Time, error) {
				if n > 2 {
					return time.Time{}, refuse(cancel, ctx)
				}
				return time.Now().Add(time.Hour), nil
			}
			must.Do(t, getIssues(ctx, client))
			if err := getIssues(ctx, client); err == nil || errors.Is(err, mirror.ErrUnavailable) {
				t.Errorf("got %v, want the refusal of the permit, and no failure of the mirror's", err)
			}
			if got := s.requests.Load(); got != 2 {
				t.Errorf("the server saw %d requests, want the 2 with permits", got)
			}
		})
	}
}

// refusing serves HTTP/2 and rejects the first streams of a connection in one of several
// ways. It counts every request that comes in.
type refusing struct {
	url      string
	pool     *x509.CertPool
	requests atomic.Int64
	left     atomic.Int64 // how many are still to be let down
	letDown  func(f *http2.Framer, stream uint32) (closes bool)
}

func serveRefusing(t *testing.T, times int64, letDown func(*http2.Framer, uint32) bool) *refusing {
	t.Helper()
	issuer := httptest.NewUnstartedServer(http.NotFoundHandler()) // for its certificate alone
	issuer.StartTLS()
	t.Cleanup(issuer.Close)
	s := &refusing{pool: x509.NewCertPool(), letDown: letDown}
	s.pool.AddCert(issuer.Certificate())
	s.left.Store(times)
	listener := must.Get(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: issuer.TLS.Certificates, NextProtos: []string{"h2"}}))(t)
	s.url = "https://" + listener.Addr().String()
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() { defer conn.Close(); s.one(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); group.Wait() })
	return s
}

// one serves one connection.
func (s *refusing) one(conn net.Conn) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	if framer.WriteSettings() != nil {
		return
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() && framer.WriteSettingsAck() != nil {
				return
			}
		case *http2.HeadersFrame:
			s.requests.Add(1)
			if s.left.Add(-1) >= 0 {
				if s.letDown(framer, frame.StreamID) {
					return
				}
				continue
			}
			if !frame.StreamEnded() {
				continue // its body is still to come
			}
			s.answer(framer, frame.StreamID)
		case *http2.DataFrame:
			if frame.StreamEnded() && s.left.Load() < 0 {
				s.answer(framer, frame.StreamID)
			}
		}
	}
}

func (s *refusing) answer(framer *http2.Framer, stream uint32) {
	var headers bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: headers.Bytes(), EndHeaders: true})
	_ = framer.WriteData(stream, true, []byte(emptyPulls))
}

// Over HTTP/2 net/http repeats a request that the server refused or did not reach, even a
// POST. Each sending has a permit of its own.
func TestWhatNetHTTPSendsAgainOverHTTP2(t *testing.T) {
	t.Parallel()
	for name, letDown := range map[string]func(*http2.Framer, uint32) bool{
		"REFUSED_STREAM": func(f *http2.Framer, stream uint32) bool {
			return f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) != nil
		},
		"GOAWAY": func(f *http2.Framer, stream uint32) bool {
			_ = f.WriteGoAway(stream-min(stream, 2), http2.ErrCodeNo, nil)
			return true
		},
	} {
		for method, ask := range map[string]func(context.Context, *mirror.Client) error{"GET": getIssues, "POST": postPulls} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				const times = 2 // the second costs net/http a pause of a second
				s := serveRefusing(t, times, letDown)
				b := setup(t, say(200, health))
				client := b.another(t, func(c *mirror.Config) { c.BaseURL = s.url })
				mirror.Trust(client, s.pool)
				must.Do(t, ask(t.Context(), client))
				got, seen := client.Stats(), s.requests.Load()
				if seen != times+1 || got.Sent != seen || got.Permits != seen || b.meter.permits.Load() != seen {
					t.Errorf("the server saw %d requests, counts %+v, %d permits granted; want %d of each", seen, got, b.meter.permits.Load(), times+1)
				}
				if got.Resent == 0 {
					t.Error("net/http sent nothing again by itself: this test shows nothing")
				}
			})
		}
	}
}
