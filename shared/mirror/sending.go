package mirror

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// sending is one request on its way through the transport. It hooks into the
// last step before a request is written, so that making a connection, which
// may take seconds, is over when the permit begins to age; and so that what
// net/http sends again by itself, because a kept-alive connection closed under
// it or a stream was refused, takes a permit as well.
type sending struct {
	*metered

	// outer is the caller's; ctx ends with it, with the time-out, or when there
	// is no permit.
	outer context.Context //nolint:containedctx // a sending is of one call
	ctx   context.Context //nolint:containedctx // as above
	end   context.CancelCauseFunc
	// seen is counted for the metrics, from the latest permit: the wait for it is
	// not the mirror's.
	measured *measured
	// refused is why there is no permit. Only the goroutine that sends sets it.
	refused error
	// timeout runs from the latest permit, too.
	timeout *time.Timer
	written atomic.Int64
	// withheld says that what HTTP/1 still writes goes to a closed connection.
	withheld atomic.Bool
}

func newSending(m *metered, r *http.Request) *sending {
	s := &sending{metered: m, outer: r.Context(), measured: measure(r)}
	s.ctx, s.end = context.WithCancelCause(s.outer)
	return s
}

// finish ends the sending and its time-out.
func (s *sending) finish() {
	if s.timeout != nil {
		s.timeout.Stop()
	}
	s.end(nil)
}

// traced is the sending's context with its hooks.
func (s *sending) traced() context.Context {
	return httptrace.WithClientTrace(s.ctx, &httptrace.ClientTrace{GotConn: s.connected, WroteHeaders: s.wrote})
}

// connected takes the permit, in the goroutine that sends, once there is a
// connection.
func (s *sending) connected(info httptrace.GotConnInfo) {
	if s.timeout != nil {
		s.timeout.Stop()
	}
	waits, _ := s.outer.Value(patienceKey{}).(*patience)
	waits.begin()
	s.refused = errNoPermit // until there is one: a Meter may panic
	defer func() {
		if s.refused != nil {
			s.withhold(info.Conn)
		}
	}()
	if s.refused = s.permit(s.outer); s.refused == nil {
		waits.end()
		s.measured.began = time.Now()
		s.timeout = time.AfterFunc(s.cfg.Timeout, func() { s.end(errTimeout) })
	}
}

// withhold keeps the request from leaving. An HTTP/2 stream looks at the
// context before it writes. HTTP/1 does not: its connection, which nobody else
// uses, is closed.
func (s *sending) withhold(conn net.Conn) {
	s.withheld.Store(true)
	s.end(s.refused)
	if secure, ok := conn.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == "h2" {
		return
	}
	_ = conn.Close() // it may have ended by itself
}

// wrote counts the bytes that are written to a connection: nothing when none can be had,
// twice when net/http sends again.
func (s *sending) wrote() {
	if s.withheld.Load() {
		return
	}
	s.sent.Add(1)
	if own, ok := s.outer.Value(counterKey{}).(*atomic.Int64); ok {
		own.Add(1)
	}
	if s.written.Add(1) > 1 {
		s.resent.Add(1)
	}
}

// failure is why there is no answer: the permit that was not had, the
// time-out, or what the transport says.
func (s *sending) failure(err error) error {
	if s.refused != nil {
		return s.refused
	}
	return because(s.ctx, err)
}

// because names the time-out where the transport knows only an end.
func because(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		return fmt.Errorf("%w: %v", errTimeout, err) //nolint:errorlint // see errTimeout
	}
	return err
}
