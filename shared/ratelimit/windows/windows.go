package windows

import (
	"slices"
	"time"
)

// Counts is the worst that a sequence of requests looks to each way of counting.
type Counts struct {
	// Fixed is the maximum of requests in any window [p, p+W), whatever its phase p.
	Fixed int
	// Sliding is the maximum of requests that a log of the last W holds at any
	// instant t. The log is the strict one that keeps what is exactly W old, so
	// it looks at the closed [t-W, t] and is never below Fixed.
	Sliding int
	// TwoWindow is the greatest estimate prev·(1−x/W)+cur, where cur counts the
	// requests of the running window up to now, prev those of the window before
	// it, and x is how far into the running window now is; the greatest over
	// all phases and instants.
	TwoWindow float64
}

// Max returns the highest of the three counts, rounded up: what a limit must be
// at least for the sequence to pass under every way of counting.
func (c Counts) Max() int {
	whole := int(c.TwoWindow)
	if float64(whole) < c.TwoWindow {
		whole++
	}
	return max(c.Fixed, c.Sliding, whole)
}

// Worst returns the worst counts of requests at the given times for windows of
// the given length, exactly, over all phases. The times need not be sorted; they
// are not changed. No times, or a window that is not positive, give zero counts.
func Worst(times []time.Duration, window time.Duration) Counts {
	if len(times) == 0 || window <= 0 {
		return Counts{}
	}
	sorted := times
	if !slices.IsSorted(sorted) {
		sorted = slices.Clone(times)
		slices.Sort(sorted)
	}
	return Counts{
		Fixed:     maxWithin(sorted, window, false),
		Sliding:   maxWithin(sorted, window, true),
		TwoWindow: twoWindow(sorted, window),
	}
}

// maxWithin returns the maximum of times in any interval of the given length, half
// open or closed. The fullest interval can be moved until it begins at an
// arrival without losing one, so only those are tried.
func maxWithin(sorted []time.Duration, window time.Duration, closed bool) int {
	highest, first := 0, 0
	for last, t := range sorted {
		for age := t - sorted[first]; age > window || (age == window && !closed); age = t - sorted[first] {
			first++
		}
		highest = max(highest, last-first+1)
	}
	return highest
}
