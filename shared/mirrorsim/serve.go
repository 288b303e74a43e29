package mirrorsim

import (
	"bytes"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// maxBody bounds a request's body, in bytes: 200 windows need some 20 kB.
const maxBody = 1 << 20

// endpoint is one route: the key of a request (see Server.FailFirst), and its
// answer when nothing goes wrong.
type endpoint struct {
	key    func(*http.Request) string
	answer func(r *http.Request, body []byte) answer
}

// handle serves a route: it counts the request, applies the limit, waits for the latency,
// and then answers or fails.
func (s *Server) handle(route string, e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.active.Add(1)
		defer s.active.Done()
		s.conns.used(r.Context())
		from, _ := netip.ParseAddrPort(r.RemoteAddr) // as net/http writes it
		f := s.arrive(from.Addr().Unmap(), route, e.key(r))
		// The body is read before anything waits: net/http notices a client that gives up
		// only after the body has been read.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		switch {
		case f.over:
			s.send(w, route, throttled(f.retry), "")
			return
		case !hold(r.Context(), f.latency):
			s.drop(w, route, "gone")
			return
		case err != nil:
			s.send(w, route, refusal(http.StatusBadRequest, "body cannot be read or is over 1 MB"), "")
			return
		}
		s.finish(w, r, route, f.fault, func() answer { return e.answer(r, body) })
	}
}

// finish sends the right answer, or applies the fault.
func (s *Server) finish(w http.ResponseWriter, r *http.Request, route string, fault Fault, right func() answer) {
	switch {
	case fault == FaultReset:
		s.drop(w, route, fault)
	case fault == FaultStall:
		hold(r.Context(), s.cfg.Stall)
		s.drop(w, route, fault)
	case fault.status() == http.StatusTooManyRequests:
		s.send(w, route, throttled(s.cfg.Mitigation), fault)
	case fault.status() != 0:
		s.send(w, route, statusAnswer(fault.status()), fault)
	default:
		s.send(w, route, spoiled(right(), fault), fault)
	}
}

// send counts an answer and then sends it. The order is a promise of Stats. A cut answer
// ends in the middle.
func (s *Server) send(w http.ResponseWriter, route string, a answer, fault Fault) {
	body := a.body
	if fault == FaultCut {
		body = body[:len(body)/2]
	}
	s.count(route, strconv.Itoa(a.status), fault)
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	if a.html {
		header.Set("Content-Type", "text/html; charset=UTF-8")
	}
	if a.retry > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(a.retry.Seconds()))))
	}
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	// An error means that the client is gone: there is nobody to tell.
	_, _ = io.Copy(w, bytes.NewReader(body))
	if fault == FaultCut {
		_ = http.NewResponseController(w).Flush() // without it the client gets no answer at all
		panic(http.ErrAbortHandler)
	}
}

// drop ends a request without an answer. It resets the connection (linger 0) where it can
// be taken over, and else lets net/http abort it.
func (s *Server) drop(w http.ResponseWriter, route string, why Fault) {
	s.count(route, "none", why)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, isTCP := conn.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// hold waits for d; false if the client gave up or the server closed first.
func hold(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
