package windows

import "time"

// twoWindow returns the greatest two-window estimate over all phases and
// instants.
//
// For a given phase the estimate jumps up at an arrival and only falls until the
// next, so the worst instant t is an arrival. For a given t, let the running
// window begin at p. Moving p towards t lets the weight of prev grow; the
// estimate falls only when p passes an arrival (which then counts in prev, at
// less than its full weight) or when p−W passes one (which then counts nowhere).
// So the worst p is an arrival, or an arrival plus W, in (t−W, t].
func twoWindow(sorted []time.Duration, window time.Duration) float64 {
	c := cursor{sorted: sorted, window: window}
	worst := 0.0
	for last := range sorted {
		worst = max(worst, c.worstAt(last))
	}
	return worst
}

// cursor walks the instants in order and remembers where the phases that matter
// to each begin.
type cursor struct {
	sorted []time.Duration
	window time.Duration
	// running is the first arrival younger than one window, before the first
	// younger than two.
	running, before int
}

// worstAt returns the greatest estimate at the instant of the arrival with index
// last, over all phases. Of arrivals at the same instant the later ones see all.
func (c *cursor) worstAt(last int) float64 {
	now := c.sorted[last]
	for c.sorted[c.running] <= now-c.window {
		c.running++
	}
	for c.sorted[c.before] <= now-2*c.window {
		c.before++
	}
	return max(c.phasesAtArrivals(last), c.phasesWindowAfter(last))
}

// phasesAtArrivals tries each window that begins at an arrival.
func (c *cursor) phasesAtArrivals(last int) float64 {
	worst, prev := 0.0, c.before
	for first := c.running; first <= last; first++ {
		begin := c.sorted[first]
		if first > c.running && begin == c.sorted[first-1] {
			continue // the first of equals is the one at which cur holds all of them
		}
		for c.sorted[prev] < begin-c.window {
			prev++
		}
		worst = max(worst, c.estimate(first-prev, last-first+1, c.sorted[last]-begin))
	}
	return worst
}

// phasesWindowAfter tries each window that begins one window after an arrival,
// which is then the oldest that prev counts.
func (c *cursor) phasesWindowAfter(last int) float64 {
	worst, cur := 0.0, c.running
	for prev := c.before; prev <= last; prev++ {
		begin := c.sorted[prev] + c.window
		if begin > c.sorted[last] {
			break
		}
		for cur <= last && c.sorted[cur] < begin {
			cur++
		}
		worst = max(worst, c.estimate(cur-prev, last-cur+1, c.sorted[last]-begin))
	}
	return worst
}

func (c *cursor) estimate(prev, cur int, into time.Duration) float64 {
	return float64(prev)*(1-float64(into)/float64(c.window)) + float64(cur)
}
