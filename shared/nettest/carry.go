package nettest

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

// carry serves one connection until both ends have said all, one of them is gone,
// or a cut.
func (r *Relay) carry(client *net.TCPConn) {
	r.mu.Lock()
	links, target := r.links, r.target
	r.mu.Unlock()
	conn, err := (&net.Dialer{}).DialContext(links, "tcp", target)
	if err != nil {
		reset(client)
		return
	}
	server := conn.(*net.TCPConn) //nolint:forcetypeassert // of a dial by tcp
	ctx, end := context.WithCancel(links)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var ways sync.WaitGroup
		ways.Go(func() { r.pass(ctx, end, server, client, Up) })
		ways.Go(func() { r.pass(ctx, end, client, server, Down) })
		ways.Wait()
		end()
	}()
	<-ctx.Done()
	for _, c := range []*net.TCPConn{client, server} {
		if links.Err() != nil {
			reset(c)
		} else {
			_ = c.Close()
		}
	}
	<-done
}

// reset ends a connection as a cut network does: bytes under way are lost.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// chunk is what was read at once, and when it goes on; no data is the end.
type chunk struct {
	data []byte
	due  time.Time
}

// pass carries one way, and ends the connection when its reader has gone.
func (r *Relay) pass(ctx context.Context, end func(), to, from *net.TCPConn, way Way) {
	chunks := make(chan chunk, 1024) // on their way
	var reader sync.WaitGroup
	defer reader.Wait()
	reader.Go(func() { defer close(chunks); r.read(ctx, from, chunks, way) })
	for c := range chunks {
		if !until(ctx, c.due) || !r.free(ctx, way) {
			return
		}
		if len(c.data) == 0 {
			_ = to.CloseWrite()
			return
		}
		if _, err := to.Write(c.data); err != nil {
			end()
			return
		}
	}
}

// read takes what arrives until that has an end.
func (r *Relay) read(ctx context.Context, from *net.TCPConn, chunks chan<- chunk, way Way) {
	buffer := make([]byte, 16<<10)
	for ended := false; !ended; {
		n, err := from.Read(buffer)
		if ended = n == 0 && err != nil; n == 0 && !ended {
			continue
		}
		select {
		case chunks <- chunk{slices.Clone(buffer[:n]), r.due(way)}:
		case <-ctx.Done():
			return
		}
	}
}

// free waits while a way is held; false when ctx ended before.
func (r *Relay) free(ctx context.Context, way Way) bool {
	r.mu.Lock()
	held := r.held[way]
	r.mu.Unlock()
	if held == nil {
		return true
	}
	select {
	case <-held:
		return true
	case <-ctx.Done():
		return false
	}
}

// until waits for an instant; false when ctx ended before.
func until(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
