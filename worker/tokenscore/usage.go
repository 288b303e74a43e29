package tokenscore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// follow counts a child from its start on.
func (u *usage) follow(c *child) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.running = append(u.running, c)
}

// total is the time until now. It never goes back: a child that cannot be read
// while it ends counts when it has ended.
func (u *usage) total() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	sum, running := u.ended, u.running[:0]
	for _, c := range u.running {
		if c.gone() {
			used := c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
			u.ended += used
			sum += used
			continue
		}
		running = append(running, c)
		if used, err := processTime(c.cmd.Process.Pid); err == nil {
			c.used = max(c.used, used)
		}
		sum += c.used
	}
	clear(u.running[len(running):])
	u.running = running
	return sum
}

// processTime reads the processor time of a process, as Linux tells it.
func processTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading its processor time: %w", err)
	}
	// The name in brackets may hold anything; after it utime and stime are the
	// 12th and 13th fields, in ticks of which Linux shows a hundred a second.
	_, after, _ := bytes.Cut(data, []byte(") "))
	fields := bytes.Fields(after)
	const utime, stime, tick = 11, 12, 10 * time.Millisecond
	if len(fields) <= stime {
		return 0, errors.New("reading its processor time: too few fields")
	}
	user, userErr := strconv.ParseInt(string(fields[utime]), 10, 64)
	system, systemErr := strconv.ParseInt(string(fields[stime]), 10, 64)
	if err := errors.Join(userErr, systemErr); err != nil {
		return 0, fmt.Errorf("reading its processor time: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}

// Usable says whether the pool can do its work now: it is open, and the
// grammars are still those that it began with. It looks at their names, not at
// their bytes, which New has checked.
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
