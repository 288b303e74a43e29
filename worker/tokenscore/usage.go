package tokenscore

import (
	"context"
	"sync"
	"time"
)

// usage adds up the processor time of all children, those that have ended
// included.
type usage struct {
	mu      sync.Mutex
	running []*child
	ended   time.Duration
}

// follow counts a child's time from its start.
func (u *usage) follow(c *child) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.running = append(u.running, c)
}

// total is the processor time so far. It never decreases: a child whose time cannot be read
// while it ends is counted once it has ended.
func (u *usage) total() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	sum, running := u.ended, u.running[:0]
	for _, c := range u.running {
		gone, used := c.gone(), c.worked()
		if sum += used; gone {
			u.ended += used
		} else {
			running = append(running, c)
		}
	}
	clear(u.running[len(running):])
	u.running = running
	return sum
}

// Usable says whether the pool can work now: ErrClosed if it is closed, ErrReplaced if the
// grammars are not the files that New has checked. It compares no bytes.
func (p *Pool) Usable(context.Context) error {
	if p.queue.isClosed() {
		return ErrClosed
	}
	return p.unlessReplaced()
}
