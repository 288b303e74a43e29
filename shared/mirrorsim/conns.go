package mirrorsim

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// connections counts the connections that carry requests to the mirror, as a
// client's pool makes them.
type connections struct {
	mu    sync.Mutex
	alive map[net.Conn]*connection
	stats Connections
	// closing says that the server shuts down: new connections are closed at once.
	closing bool
}

// connection is one connection that is open.
type connection struct {
	asked bool // it has carried a request
	used  bool // it has carried one to the mirror, and is counted
}

// connKey finds a request's connection in its context.
type connKey struct{}

// newConnections returns counts of 0.
func newConnections() *connections { return &connections{alive: map[net.Conn]*connection{}} }

// accepted is the server's http.Server.ConnContext: it registers a new connection.
func (c *connections) accepted(ctx context.Context, conn net.Conn) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		_ = conn.Close()
	}
	c.alive[conn] = &connection{}
	return context.WithValue(ctx, connKey{}, conn)
}

// changed is the server's http.Server.ConnState: it notes a connection's first request
// and its end.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.alive[conn]
	switch {
	case known == nil:
	case state == http.StateActive:
		known.asked = true
	case state == http.StateClosed || state == http.StateHijacked:
		if known.used {
			c.stats.Open--
		}
		delete(c.alive, conn)
	}
}

// used notes that a request to the mirror came over its connection.
func (c *connections) used(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn, _ := ctx.Value(connKey{}).(net.Conn)
	known := c.alive[conn]
	if known == nil || known.used {
		return
	}
	known.used = true
	c.stats.Used++
	c.stats.Open++
	c.stats.MaxOpen = max(c.stats.MaxOpen, c.stats.Open)
}

// reset sets the counts to 0. The mirror's open connections stay open, and count as used.
func (c *connections) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := c.stats.Open
	c.stats = Connections{Used: open, Open: open, MaxOpen: open}
}

// closeUnused closes the connections that never carried a request, and from now on every
// new one. http.Server.Shutdown would wait seconds for their first request.
func (c *connections) closeUnused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	for conn, known := range c.alive {
		if !known.asked {
			_ = conn.Close() // its end is all that matters
		}
	}
}

// snapshot is the counts as they are now.
func (c *connections) snapshot() Connections {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}
