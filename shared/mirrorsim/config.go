package mirrorsim

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// The limit of the real mirror for one IP, which is the command's default.
const (
	RealLimit      = 50
	RealWindow     = 10 * time.Second
	RealMitigation = 10 * time.Second
)

// Config is what Start needs.
type Config struct {
	// World is served; required. The caller closes it, after the server.
	World *World
	// Addr is where to listen; 127.0.0.1:0 (any free port) by default.
	Addr string
	// OwnUser ends the connections of other users of this machine. It needs an IPv4
	// loopback address on Linux, whose kernel tells the owner of a socket. On other
	// systems everybody is answered.
	OwnUser bool
	// Limit is the number of requests let through in a Window, by each of the three
	// ways of counting; 0 means no limit.
	Limit int
	// Window and Mitigation default to the real mirror's 10 s each.
	Window, Mitigation time.Duration
	// Latency delays every answer except a 429 of the limit; none by default.
	Latency Latency
	// Faults are the probabilities of faults; they may add up to 1 at most.
	Faults map[Fault]float64
	// Stall is how long a stalled request waits before its connection is reset; a minute
	// by default.
	Stall time.Duration
	// Seed decides faults, latencies and the phases of the fixed windows.
	Seed uint64
}

func (c Config) withDefaults() Config {
	c.Addr = cmp.Or(c.Addr, "127.0.0.1:0")
	c.Window = cmp.Or(c.Window, RealWindow)
	c.Mitigation = cmp.Or(c.Mitigation, RealMitigation)
	c.Stall = cmp.Or(c.Stall, time.Minute)
	return c
}

// validate names the field, its value and what would be right.
func (c Config) validate() error {
	switch {
	case c.World == nil:
		return errors.New("mirrorsim: Config.World is nil, want a world such as that of Demo")
	case c.Limit < 0:
		return fmt.Errorf("mirrorsim: Config.Limit %d: want requests a window, or 0 for no limit", c.Limit)
	case c.Window < 0:
		return fmt.Errorf("mirrorsim: Config.Window %s: want a positive duration", c.Window)
	case c.Mitigation < 0:
		return fmt.Errorf("mirrorsim: Config.Mitigation %s: want a positive duration", c.Mitigation)
	case c.Stall < 0:
		return fmt.Errorf("mirrorsim: Config.Stall %s: want a positive duration", c.Stall)
	}
	total := 0.0
	for fault, p := range c.Faults {
		if err := fault.check(); err != nil {
			return fmt.Errorf("mirrorsim: Config.Faults: %w", err)
		}
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("mirrorsim: Config.Faults[%s] %g: want a probability from 0 to 1", fault, p)
		}
		total += p
	}
	if total > 1 {
		return fmt.Errorf("mirrorsim: Config.Faults add up to %g: want 1 at most", total)
	}
	return nil
}
