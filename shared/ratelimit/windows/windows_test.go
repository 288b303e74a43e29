package windows_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mirrorfleet/shared/ratelimit/windows"
)

const window = 10 * time.Second

// every returns n times from the first on, at equal distances.
func every(first, step time.Duration, n int) []time.Duration {
	times := make([]time.Duration, n)
	for i := range times {
		times[i] = first + time.Duration(i)*step
	}
	return times
}

// bucket returns what a token bucket lets through when it is asked without end
// from time zero: the burst at once, then one per refill.
func bucket(burst int, refill, until time.Duration) []time.Duration {
	return append(every(0, 0, burst), every(refill, refill, int(until/refill))...)
}

func TestWorst(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		times []time.Duration
		want  windows.Counts
	}{
		"nothing": {nil, windows.Counts{}},
		"one":     {[]time.Duration{3 * time.Second}, windows.Counts{Fixed: 1, Sliding: 1, TwoWindow: 1}},
		"a pair one window apart: only the strict log sees both": {
			every(0, window, 2), windows.Counts{Fixed: 1, Sliding: 2, TwoWindow: 2},
		},
		// Two windows' worth on the two sides of an edge: fixed windows of
		// another phase see all of it.
		"fifty before an edge and fifty after": {
			slices.Concat(every(9*time.Second, 0, 50), every(11*time.Second, 0, 50)),
			windows.Counts{Fixed: 100, Sliding: 100, TwoWindow: 100},
		},
		// Never more than 50 in any ten seconds, and yet over the limit where
		// the estimate is used: prev is weighed as if it had been spread evenly.
		"fifty at once, fifty more a window later": {
			slices.Concat(every(0, 0, 50), every(window, 0, 50)),
			windows.Counts{Fixed: 50, Sliding: 100, TwoWindow: 100},
		},
		"fifty early, fifty a window and a quarter later": {
			slices.Concat(every(0, 0, 50), every(12500*time.Millisecond, 0, 50)),
			windows.Counts{Fixed: 50, Sliding: 50, TwoWindow: 87.5},
		},
		// The usual bucket: its burst and ten seconds of its refill.
		"burst of 50 refilled at 5/s": {
			bucket(50, 200*time.Millisecond, time.Minute),
			windows.Counts{Fixed: 99, Sliding: 100, TwoWindow: 100},
		},
		// 48 slots of (10 s + 0.25 s)/48 and one: 49 with all that jitter may do,
		// so 47 without, and an estimate just under 1 + r·10 s = 47.8292.
		"burst of 1 at the rate of the formula": {
			every(0, 213542*time.Microsecond, 1000),
			windows.Counts{Fixed: 47, Sliding: 47, TwoWindow: 47.8285722},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := windows.Worst(test.times, window)
			if got.Fixed != test.want.Fixed || got.Sliding != test.want.Sliding ||
				math.Abs(got.TwoWindow-test.want.TwoWindow) > 1e-6 {
				t.Errorf("Worst(%s) = %+v, want %+v", name, got, test.want)
			}
		})
	}
}

func TestWorstRefusesNonsense(t *testing.T) {
	t.Parallel()
	if got := windows.Worst([]time.Duration{1, 2}, 0); got != (windows.Counts{}) {
		t.Errorf("Worst with a window of no length = %+v, want zero counts", got)
	}
}

func TestWorstLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	times := []time.Duration{3, 1, 2}
	windows.Worst(times, window)
	if !slices.Equal(times, []time.Duration{3, 1, 2}) {
		t.Errorf("Worst changed its input to %v", times)
	}
}

func TestMaxRoundsUp(t *testing.T) {
	t.Parallel()
	if got := (windows.Counts{Fixed: 3, Sliding: 4, TwoWindow: 4.0001}).Max(); got != 5 {
		t.Errorf("Max = %d, want 5: an estimate above 4 passes no limit of 4", got)
	}
	if got := (windows.Counts{Fixed: 3, Sliding: 4, TwoWindow: 4}).Max(); got != 4 {
		t.Errorf("Max = %d, want 4", got)
	}
}

// TestWorstAgainstEveryPhase compares with the definition itself, tried at every
// tick: in whole ticks nothing can hide between two phases. Times are drawn so
// that equal times and distances of exactly one window are common.
func TestWorstAgainstEveryPhase(t *testing.T) {
	t.Parallel()
	const ticks = 12 // the window, in ticks of a nanosecond
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 1))
		times := make([]time.Duration, 1+random.IntN(14))
		for i := range times {
			times[i] = time.Duration(random.IntN(5 * ticks))
		}
		got, want := windows.Worst(times, ticks), everyPhase(times, ticks)
		if got.Fixed != want.Fixed || got.Sliding != want.Sliding || math.Abs(got.TwoWindow-want.TwoWindow) > 1e-9 {
			t.Fatalf("seed %d: Worst(%v) = %+v, every phase gives %+v", seed, times, got, want)
		}
	}
}

// everyPhase counts as the doc comments say, for each phase and instant.
func everyPhase(times []time.Duration, window time.Duration) windows.Counts {
	within := func(from, to time.Duration) (n int) { // [from, to]
		for _, t := range times {
			if from <= t && t <= to {
				n++
			}
		}
		return n
	}
	var worst windows.Counts
	for p := -window; p <= 6*window; p++ {
		worst.Fixed = max(worst.Fixed, within(p, p+window-1))
		worst.Sliding = max(worst.Sliding, within(p, p+window))
		prev := float64(within(p-window, p-1))
		for x := range window {
			estimate := prev*(1-float64(x)/float64(window)) + float64(within(p, p+x))
			worst.TwoWindow = max(worst.TwoWindow, estimate)
		}
	}
	return worst
}
