package ratelimit

import (
	"context"
	"fmt"
	"mirrorfleet/shared/broadcast"
	"sync"
	"time"
)

// CoolDown stops the whole egress for d, capped at Config.MaxCoolDown; a longer
// one that is running stays. Reservations of this process are void at once, those
// of others when they hear of it (Redis' own publish and subscribe); one that
// does not hear learns it when it reserves next, having used at most what it
// holds. Afterwards slots come at the normal pace. A d that is not positive
// does nothing.
//
// An error says that Redis did not take it down yet. The cool-down then travels
// with this process's next reservation, so that none is had without it.
func (l *Limiter) CoolDown(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	d = min(d, l.cfg.MaxCoolDown)
	now := time.Now()
	until, began := l.cool.begin(now, now.Add(d))
	if began {
		l.count.coolDowns.add(ctx)
	}
	ctx, cancel := l.bound(ctx)
	defer cancel()
	in := l.cfg.request()
	in.Cool = until.Sub(now).Microseconds()
	if _, err := l.ask(ctx, l.session.fill(in, now)); err != nil {
		return fmt.Errorf("ratelimit: cool-down of %v not yet taken down: %w", d, err)
	}
	l.cool.written(until)
	return nil
}

// coolDown is what this process knows of a cool-down before Redis does.
type coolDown struct {
	mu sync.Mutex
	// until is the end of one that Redis has not been told, zero for none.
	until time.Time
	// ends is the latest end that this process has been told of.
	ends time.Time
	void broadcast.Signal // a cool-down has begun
}

// begin voids what is held and notes the end until Redis has it. It returns the
// latest end that Redis does not have, and whether no cool-down was running.
func (c *coolDown) begin(now, until time.Time) (unwritten time.Time, began bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began = !now.Before(c.ends)
	if until.After(c.ends) {
		c.ends = until
	}
	if until.After(c.until) {
		c.until = until
	}
	c.void.Send()
	return c.until, began
}

// written forgets the cool-down that Redis has been told, unless a longer one
// has begun meanwhile.
func (c *coolDown) written(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.Equal(until) {
		c.until = time.Time{}
	}
}

// unwritten is the end of a cool-down that Redis does not know of, zero for none.
func (c *coolDown) unwritten() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until
}

// watch returns a channel that is closed when the next cool-down begins.
func (c *coolDown) watch() <-chan struct{} { return c.void.Next() }
