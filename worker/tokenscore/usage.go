package tokenscore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
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

// Usable says whether the pool can work now: it is open, and the grammars are still those
// with which it began. It compares their names. New has checked their bytes.
func (p *Pool) Usable(context.Context) error {
	if p.queue.isClosed() {
		return ErrClosed
	}
	m, err := manifest.Read(p.cfg.Grammars)
	if err == nil && m.Digest() != p.manifest.Digest() {
		err = fmt.Errorf("others than at the start: %.12s, not %.12s", m.Digest(), p.manifest.Digest())
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(p.cfg.Grammars, m.Runtime.File))
	}
	for i := 0; err == nil && i < len(m.Languages); i++ {
		_, err = os.Stat(filepath.Join(p.cfg.Grammars, m.Languages[i].File))
	}
	if err != nil {
		return &GrammarsError{Dir: p.cfg.Grammars, Err: err}
	}
	return nil
}
