package mirrorsim

import (
	"bytes"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxBody is the most bytes of a request's body: 200 windows need some 20 kB.
const maxBody = 1 << 20

// endpoint is one route: the key of a request (see Server.FailFirst), and its
// answer when nothing goes wrong.
type endpoint struct {
	key    func(*http.Request) string
	answer func(r *http.Request, body []byte) answer
}

// handle serves a route with everything that stands before the answer.
func (s *Server) handle(route string, e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.active.Add(1)
		defer s.active.Done()
		s.conns.used(r.Context())
		f := s.arrive(route, e.key(r))
		// The body is read before anything waits: only then does net/http
		// notice a client that gives up.
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

// finish sends the right answer, or what the fault makes of it.
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

// send counts an answer and sends it; a cut one ends in the middle.
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
	// A client that went away is no fault of ours; nothing is left to tell it.
	_, _ = io.Copy(w, bytes.NewReader(body))
	if fault == FaultCut {
		_ = http.NewResponseController(w).Flush() // or the client sees no answer at all
		panic(http.ErrAbortHandler)
	}
}

// drop ends a request without an answer. The connection is reset, not
// closed in good order, where the protocol allows it.
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

// hold waits, and says false when the client or the server gave up first.
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
