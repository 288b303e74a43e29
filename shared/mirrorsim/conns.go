package mirrorsim

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// connections counts connections as a client's pool makes them. Those that
// carry only requests for the simulator itself are left out.
type connections struct {
	mu    sync.Mutex
	alive map[net.Conn]*connection
	stats Connections
	// closing: the server is going down, a new connection has nobody to talk to.
	closing bool
}

// connection is one connection that is open.
type connection struct {
	purpose purpose
	counted bool // among the accepted ones
}

// purpose is what the first request of a connection was for.
type purpose int

const (
	undecided purpose = iota
	mirror
	control
)

// connKey finds a request's connection in its context.
type connKey struct{}

// newConnections returns a count of none.
func newConnections() *connections { return &connections{alive: map[net.Conn]*connection{}} }

// accepted is http.Server.ConnContext: it counts a new connection.
func (c *connections) accepted(ctx context.Context, conn net.Conn) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		_ = conn.Close()
	}
	c.alive[conn] = &connection{counted: true}
	c.stats.Accepted++
	return context.WithValue(ctx, connKey{}, conn)
}

// changed is http.Server.ConnState: it counts a connection's end.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.alive[conn]; known != nil && known.purpose == mirror {
		c.stats.Open--
	}
	delete(c.alive, conn)
}

// used notes that a request to the mirror came over its connection.
func (c *connections) used(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.of(ctx)
	if known == nil || known.purpose == mirror {
		return
	}
	known.purpose = mirror
	if !known.counted {
		known.counted = true
		c.stats.Accepted++
	}
	c.stats.Used++
	c.stats.Open++
	c.stats.MaxOpen = max(c.stats.MaxOpen, c.stats.Open)
}

// controlled notes that a request to the simulator itself came over its
// connection.
func (c *connections) controlled(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.of(ctx)
	if known == nil || known.purpose != undecided {
		return
	}
	known.purpose = control
	if known.counted {
		known.counted = false
		c.stats.Accepted--
	}
}

// of is the connection that a request came over.
func (c *connections) of(ctx context.Context) *connection {
	conn, _ := ctx.Value(connKey{}).(net.Conn)
	return c.alive[conn]
}

// reset starts counting anew; the mirror's connections that are open stay
// open, and count as accepted and used.
func (c *connections) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats = Connections{}
	for _, known := range c.alive {
		known.counted = known.purpose == mirror
		if known.counted {
			c.stats.Accepted++
			c.stats.Used++
			c.stats.Open++
		}
	}
	c.stats.MaxOpen = c.stats.Open
}

// closeUnused ends the connections that never carried a request, those to
// come too: a server that shuts down would wait seconds for their first one.
func (c *connections) closeUnused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	for conn, known := range c.alive {
		if known.purpose == undecided {
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
