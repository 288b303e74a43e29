package mirrorsim

import (
	"net/netip"
	"time"
)

// counter decides like the limit in front of the mirror. It is not known in which of three
// ways that one counts, so a request is let through only when all three would. counter has
// no clock: now comes in as the time since some origin, and never decreases.
type counter struct {
	limit      int
	window     time.Duration
	mitigation time.Duration

	fixed    tally           // fixed windows
	estimate tally           // fixed windows of another phase, for the estimate
	log      []time.Duration // sliding log: arrivals in (now − window, now]
	until    time.Duration   // the mitigation period's end
}

// limits are the counters of all addresses: the limit applies to each address separately. Their
// fixed windows begin together, because they share one clock.
type limits struct {
	make func() *counter // nil without a limit
	of   map[netip.Addr]*counter
}

// admit decides on a request of an address.
func (l *limits) admit(from netip.Addr, now time.Duration) verdict {
	if l.make == nil {
		return verdict{}
	}
	c := l.of[from]
	if c == nil {
		if l.of == nil {
			l.of = map[netip.Addr]*counter{}
		}
		c = l.make()
		l.of[from] = c
	}
	return c.admit(now)
}

// tally counts in windows that start at phase before the origin.
type tally struct {
	phase     time.Duration
	index     int64
	prev, cur int
}

// verdict is a counter's decision on one request.
type verdict struct {
	refused bool
	retry   time.Duration // until the mitigation period ends
	by      string        // the count that exceeded the limit; "" inside a mitigation period
}

// newCounter returns a counter whose two kinds of fixed windows began at the given phases
// before the origin.
func newCounter(limit int, window, mitigation, fixedPhase, estimatePhase time.Duration) *counter {
	return &counter{
		limit:      limit,
		window:     window,
		mitigation: mitigation,
		fixed:      tally{phase: fixedPhase},
		estimate:   tally{phase: estimatePhase},
	}
}

// admit counts a request that arrives now and decides on it. A request inside a mitigation
// period counts like any other, so a client that does not pause stays over the limit.
func (c *counter) admit(now time.Duration) verdict {
	c.slide(now)
	c.fixed.add(now, c.window)
	c.estimate.add(now, c.window)
	if now < c.until {
		return verdict{refused: true, retry: c.until - now}
	}
	by := c.over(now)
	if by == "" {
		return verdict{}
	}
	c.until = now + c.mitigation
	return verdict{refused: true, retry: c.mitigation, by: by}
}

// over names the first count that is above the limit.
func (c *counter) over(now time.Duration) string {
	switch {
	case c.fixed.cur > c.limit:
		return "fixed"
	case len(c.log) > c.limit:
		return "sliding"
	case c.estimate.estimate(now, c.window) > float64(c.limit):
		return "two_window"
	}
	return ""
}

// slide puts now into the log and drops the instants that are a whole window old.
func (c *counter) slide(now time.Duration) {
	old := 0
	for old < len(c.log) && c.log[old] <= now-c.window {
		old++
	}
	c.log = append(c.log[old:], now)
}

// add counts a request in the window that now lies in.
func (t *tally) add(now, window time.Duration) {
	switch index := int64((now + t.phase) / window); index {
	case t.index:
	case t.index + 1:
		t.index = index
		t.prev = t.cur
		t.cur = 0
	default:
		t.index = index
		t.prev = 0
		t.cur = 0
	}
	t.cur++
}

// estimate is prev·(1−x/W)+cur with x the time since the window began.
func (t *tally) estimate(now, window time.Duration) float64 {
	x := (now + t.phase) % window
	return float64(t.prev)*(1-float64(x)/float64(window)) + float64(t.cur)
}
