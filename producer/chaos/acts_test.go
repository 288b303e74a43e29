package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// act is one disturbance: what is done, to whom, for how long; undo ends it.
type act struct {
	what string
	on   string
	last time.Duration
	do   func() error
	undo func() error
}

// between draws a time, in whole tenths of a second.
func between(rng *rand.Rand, low, high int) time.Duration {
	return time.Duration(low+rng.IntN(high-low+1)) * 100 * time.Millisecond
}

// draw decides the next disturbance.
func (f *fleet) draw(rng *rand.Rand) act {
	worker := f.workers[rng.IntN(len(f.workers))]
	node := f.nats[rng.IntN(len(f.nats))]
	w := f.wires[rng.IntN(len(f.wires))]
	switch rng.IntN(10) {
	case 0, 1:
		return killed(worker, between(rng, 0, 10))
	case 2:
		return stopped(worker, between(rng, 5, 50)) // up to beyond its lease
	case 3:
		return drained(worker, between(rng, 0, 10))
	case 4:
		return killed(f.producer, between(rng, 0, 10))
	case 5:
		return node.killed(between(rng, 2, 30))
	case 6:
		return killed(f.redis, between(rng, 2, 20))
	case 7:
		return slowed(w, time.Duration(20+rng.IntN(100))*time.Millisecond, time.Duration(rng.IntN(60))*time.Millisecond, between(rng, 5, 30))
	case 8:
		return silenced(w, between(rng, 5, 30))
	default:
		return cut(w, between(rng, 1, 5))
	}
}

func killed(p *process, gone time.Duration) act {
	return act{"SIGKILL", p.name, gone, func() error { p.kill(); return nil }, p.start}
}

func stopped(p *process, last time.Duration) act {
	return act{
		"SIGSTOP", p.name, last,
		func() error { p.signal(syscall.SIGSTOP); return nil },
		func() error { p.signal(syscall.SIGCONT); return nil },
	}
}

// drained ends a worker in order; another takes its place.
func drained(p *process, gone time.Duration) act {
	return act{"SIGTERM", p.name, gone, func() error { p.signal(syscall.SIGTERM); return nil }, func() error {
		p.ended(context.Background())
		return p.start()
	}}
}

func slowed(w *wire, latency, jitter, last time.Duration) act {
	return act{
		fmt.Sprintf("latency of %s ± %s", latency, jitter), w.name, last,
		func() error { w.Delay(max(0, latency-jitter), latency+jitter); return nil },
		func() error { w.Delay(0, 0); return nil },
	}
}

func silenced(w *wire, last time.Duration) act {
	return act{"silence", w.name, last, func() error { w.Silence(); return nil }, func() error { w.Mend(); return nil }}
}

func cut(w *wire, last time.Duration) act {
	return act{"cut", w.name, last, func() error { w.Cut(); return nil }, func() error { w.Mend(); return nil }}
}

// chaos disturbs the fleet until ctx ends, at most two disturbances at once and
// never two of one target or of two NATS servers; then it heals everything.
type chaos struct {
	t     *testing.T
	fleet *fleet
	began time.Time

	mu         sync.Mutex
	disturbed  map[string]bool
	transcript strings.Builder
	acts       int
}

func (c *chaos) run(ctx context.Context, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	var under sync.WaitGroup
	for ctx.Err() == nil {
		within(ctx, between(rng, 3, 15))
		a := c.fleet.draw(rng) //nolint:contextcheck // what is begun is ended, whatever ends the round
		if ctx.Err() != nil || !c.take(a) {
			continue
		}
		c.sayf("%s %s for %s", a.what, a.on, a.last)
		if err := a.do(); err != nil {
			c.t.Errorf("%s %s: %v", a.what, a.on, err)
		}
		under.Go(func() {
			within(ctx, a.last)
			if err := a.undo(); err != nil {
				c.t.Errorf("ending %s %s: %v", a.what, a.on, err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.disturbed, target(a.on))
		})
	}
	under.Wait()
}

// target is what must not be disturbed twice at once: the cluster lives with
// one server gone, so its servers and the wires to them are one target.
func target(name string) string {
	if strings.Contains(name, "nats") {
		return "nats"
	}
	return strings.TrimPrefix(name, "wire to ")
}

func (c *chaos) take(a act) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.disturbed) >= 2 || c.disturbed[target(a.on)] {
		return false
	}
	c.disturbed[target(a.on)] = true
	c.acts++
	return true
}

func (c *chaos) sayf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(&c.transcript, "%6.1f s  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}
