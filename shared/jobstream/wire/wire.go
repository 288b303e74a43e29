// Package wire is a TCP proxy for tests: a connection through it can be held
// up in either direction, as by a stalled process or a broken network, let go
// again, or cut.
//
// Guarantees: what is held arrives later, whole and in order; nothing is
// dropped unless Cut drops the connections. Close cuts, and waits for every
// goroutine.
package wire

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
)

// Wire proxies connections to one target.
type Wire struct {
	listener net.Listener
	target   string
	work     sync.WaitGroup

	mu     sync.Mutex
	free   *sync.Cond // something was let go, cut or closed
	held   [2]bool
	conns  map[net.Conn]struct{}
	closed bool
}

// Direction is the way that bytes go.
type Direction int

// The directions, seen from who connects.
const (
	Up   Direction = iota // to the target
	Down                  // from the target
)

// New listens on a free loopback port for connections to target, which may be
// an address or a URL.
func New(target string) (*Wire, error) {
	if _, address, isURL := strings.Cut(target, "://"); isURL {
		target = address
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once, on loopback
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	w := &Wire{listener: listener, target: target, conns: map[net.Conn]struct{}{}}
	w.free = sync.NewCond(&w.mu)
	w.work.Go(w.accept)
	return w, nil
}

// Addr is where to connect.
func (w *Wire) Addr() string { return w.listener.Addr().String() }

// Hold keeps what goes in the given directions until Release.
func (w *Wire) Hold(directions ...Direction) { w.set(true, directions) }

// Release lets go what was held, and whatever comes.
func (w *Wire) Release() { w.set(false, []Direction{Up, Down}) }

// set changes what is held and wakes whoever waits for it.
func (w *Wire) set(held bool, directions []Direction) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range directions {
		w.held[d] = held
	}
	w.free.Broadcast()
}

// Cut ends all connections with what they held. New ones are accepted.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close() // it may have ended by itself
	}
	clear(w.conns)
	w.free.Broadcast()
}

// Close ends everything and waits for it.
func (w *Wire) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	err := w.listener.Close()
	w.Cut()
	w.work.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("wire: %w", err)
	}
	return nil
}

// accept pairs each connection with one to the target.
func (w *Wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.target) //nolint:noctx // at once, on loopback
		if err != nil {                          // the client sees its connection end
			_ = client.Close()
			continue
		}
		if !w.keep(client, server) {
			return
		}
		w.work.Go(func() { w.copy(server, client, Up) })
		w.work.Go(func() { w.copy(client, server, Down) })
	}
}

// keep notes connections for Cut; after Close it refuses them.
func (w *Wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		if w.closed {
			_ = c.Close()
			continue
		}
		w.conns[c] = struct{}{}
	}
	return !w.closed
}

// copy moves bytes until either end closes; then it closes both.
func (w *Wire) copy(to, from net.Conn, d Direction) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !w.pass(from, d) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits while the direction is held; false when the connection was cut.
func (w *Wire) pass(conn net.Conn, d Direction) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.held[d] {
		if _, alive := w.conns[conn]; !alive {
			return false
		}
		w.free.Wait()
	}
	return true
}
