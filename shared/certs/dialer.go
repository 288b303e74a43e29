package certs

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// Dialer dials for a TLS client. A server that refuses the client's certificate sends an
// alert that says so and closes. With TLS 1.3 the client has begun to write by then, and
// its write fails before it has read the alert. On a connection of this dialer the first
// such write counts as sent, so the client's next read finds the alert, or the same
// failure if there is none.
type Dialer struct{ net.Dialer }

// Dial connects to an address.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.Dialer.Dial(network, address)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the address already
	}
	return Listening(conn), nil
}

// Listening gives a connection what those of a Dialer have.
func Listening(conn net.Conn) net.Conn { return &listening{Conn: conn} }

type listening struct {
	net.Conn

	failed atomic.Bool
}

func (l *listening) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	closed := errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
	if closed && l.failed.CompareAndSwap(false, true) {
		return len(p), nil
	}
	return n, err //nolint:wrapcheck // as the connection has it
}
