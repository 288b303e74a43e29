package bucket_test

import (
	"fmt"
	"testing"
	"time"
)

// minimum is how many slots there are for each that is the background's by right.
const minimum = 4

// byHalf and unspaced are the usual backgrounds: a warm-up of the cache, a gateway.
var (
	unspaced = class{right: minimum * interval}
	byHalf   = class{right: minimum * interval, spacing: 2 * interval}
)

// mixed is a fleet of both classes without faults.
type mixed struct {
	round, background int
	of                class         // of the background
	pause             time.Duration // of the round's processes
	slow              time.Duration // the network
}

func (m mixed) String() string {
	return fmt.Sprintf("%d of the round that pause %v, %d of the background %v apart, network %v",
		m.round, m.pause, m.background, m.of.spacing, m.slow)
}

// run lets an hour pass after the first minute, or a day.
func (m mixed) run() *fleet {
	f := newFleet(1, 0)
	f.calm, f.slow = true, m.slow
	f.join(m.round, class{pause: m.pause})
	f.join(m.background, m.of)
	f.runFor(time.Minute)
	f.arrivals = nil
	f.grants = nil
	f.calls = [2]int{}
	length := time.Hour
	if soak() {
		length = 24 * time.Hour
	}
	f.runFor(length)
	return f
}

// granted counts the grants of the round and of the background.
func (f *fleet) granted() (n [2]int) {
	for _, g := range f.grants {
		n[g.of.number()]++
	}
	return n
}

// TestClassesUseTheLimit: whoever is there, the whole rate is used, and nobody polls;
// of a rate that both want, the background has its minimum and no more.
func TestClassesUseTheLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mixed

		share      float64 // of the limit, at least
		background [2]float64
		calls      [2]float64 // a permit, at most
	}{
		{mixed{round: 1, background: 1, of: unspaced}, 0.9350, [2]float64{0.24, 0.2501}, [2]float64{1.001, 2.01}},
		{mixed{round: 1, background: 8, of: unspaced}, 0.9350, [2]float64{0.24, 0.2501}, [2]float64{1.001, 2.01}},
		{mixed{round: 8, background: 4, of: unspaced}, 0.9350, [2]float64{0.24, 0.2501}, [2]float64{1.001, 2.01}},
		{mixed{round: 8, background: 8, of: byHalf}, 0.9350, [2]float64{0.24, 0.2501}, [2]float64{1.001, 2.01}},
		{mixed{round: 8, background: 1, of: unspaced}, 0.9350, [2]float64{0.11, 0.12}, [2]float64{1.001, 1.001}}, // one of nine
		{mixed{round: 8, background: 3, of: unspaced}, 0.9350, [2]float64{0.24, 0.2501}, [2]float64{1.001, 2.01}},
		{mixed{round: 8, background: 11, of: unspaced}, 0.9350, [2]float64{0.24, 0.2501}, [2]float64{1.001, 2.01}},
		{mixed{round: 32, background: 11, of: unspaced}, 0.9350, [2]float64{0.24, 0.2501}, [2]float64{1.001, 2.01}},
		{mixed{round: 64, background: 16, of: unspaced}, 0.9350, [2]float64{0.14, 0.2501}, [2]float64{2.1, 4.5}},
		{mixed{background: 1, of: unspaced}, 0.9350, [2]float64{1, 1}, [2]float64{0, 1.001}},
		{mixed{background: 8, of: unspaced}, 0.9350, [2]float64{1, 1}, [2]float64{0, 2.01}},
		{mixed{background: 1, of: byHalf}, 0.4675, [2]float64{1, 1}, [2]float64{0, 2.01}},
		{mixed{background: 4, of: byHalf}, 0.4675, [2]float64{1, 1}, [2]float64{0, 2.01}},
	} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			f := c.run()
			n := f.granted()
			share := float64(len(f.arrivals)) / time.Hour.Seconds() / 5
			background := float64(n[1]) / float64(n[0]+n[1])
			t.Logf("%.2f %% of the limit, %.1f %% of it the background's; %.3f and %.3f calls a permit",
				100*share, 100*background, perPermit(f.calls[0], n[0]), perPermit(f.calls[1], n[1]))
			if share < c.share || share > c.share+0.0025 {
				t.Errorf("%.2f %% of the limit are used, want %.2f %%", 100*share, 100*c.share)
			}
			if background < c.background[0] || background > c.background[1] {
				t.Errorf("%.2f %% are the background's, want %v", 100*background, c.background)
			}
			for number, highest := range c.calls {
				if got := perPermit(f.calls[number], n[number]); got > highest {
					t.Errorf("%.3f calls a permit of class %d, want at most %.3f", got, number, highest)
				}
			}
		})
	}
}

func perPermit(calls, permits int) float64 { return float64(calls) / float64(max(1, permits)) }

// TestTheRoundGoesFirst counts inversions: slots of the background before the one that a
// waiter of the round gets. Those that were granted after it began to wait are no more
// than the minimum, and one for a question that was under way; the others were reserved
// before, one by each process of the background, and three at most where the round was
// not there.
func TestTheRoundGoesFirst(t *testing.T) {
	t.Parallel()
	for _, slow := range []time.Duration{0, 90 * time.Millisecond} {
		for _, pause := range []time.Duration{0, 300 * time.Millisecond, 3 * time.Second, 20 * time.Second} {
			for _, n := range [][2]int{{1, 1}, {1, 8}, {3, 1}, {8, 8}, {8, 64}, {64, 8}} {
				for _, of := range []class{unspaced, byHalf} {
					m := mixed{n[0], n[1], of, pause, slow}
					t.Run(m.String(), func(t *testing.T) {
						t.Parallel()
						m.run().wantRoundFirst(t, m)
					})
				}
			}
		}
	}
}

func (f *fleet) wantRoundFirst(t *testing.T, m mixed) {
	t.Helper()
	total, longest := 0, 0
	for i, g := range f.grants {
		if g.of.right > 0 {
			continue
		}
		before, after := 0, 0
		for j := i - 1; j >= 0 && f.grants[j].slot > g.began; j-- {
			switch other := f.grants[j]; {
			case other.of.right == 0:
			case other.granted < g.began:
				before++
			default:
				after++
			}
		}
		total, longest = total+before+after, max(longest, before+after)
		wait := g.slot - g.began
		if byRight := int(wait/(minimum*interval)) + 1; after > byRight+1 || before > min(m.background, max(byRight, 3)) ||
			before+after > byRight+min(m.background, 3) {
			t.Fatalf("a waiter of the round that waited %v came after %d slots of the background that were granted after it asked, "+
				"and %d reserved before; want %d by right", wait, after, before, byRight)
		}
	}
	t.Logf("%d slots of the round, %d of the background before one, at most %d before the same", f.granted()[0], total, longest)
	if m.pause > 0 {
		return
	}
	// With the round always there, nothing goes to the background but its minimum.
	last := time.Duration(0)
	for _, g := range f.grants {
		if g.of.right == 0 {
			continue
		}
		if last > 0 && g.slot-last < minimum*interval-time.Millisecond && m.slow == 0 {
			t.Fatalf("two slots of the background are %v apart while the round waits, want at least %v", g.slot-last, minimum*interval)
		}
		last = g.slot
	}
}

// TestTheBackgroundIsNotStarved: with P processes of the round and M of the background
// that all wait, the background has a slot at least every max(k, P+1) of them, and, as
// far as the horizon holds them all, each of its processes every max(k·M, P+M).
func TestTheBackgroundIsNotStarved(t *testing.T) {
	t.Parallel()
	for _, n := range [][2]int{{1, 1}, {1, 2}, {1, 8}, {2, 4}, {8, 1}, {8, 4}, {8, 8}, {30, 8}, {40, 1}, {40, 5}, {46, 12}, {64, 1}, {64, 4}, {64, 16}, {64, 64}} {
		for _, of := range []class{unspaced, byHalf} {
			m := mixed{round: n[0], background: n[1], of: of}
			t.Run(m.String(), func(t *testing.T) {
				t.Parallel()
				f := m.run()
				slots := func(n int) time.Duration { return time.Duration(n)*interval + 10*time.Millisecond }
				all, each := slots(max(minimum, m.round+1)), slots(max(minimum*m.background, m.round+m.background))
				held := each < horizon
				var last, gap, longest time.Duration
				for _, g := range f.grants {
					if g.of.right == 0 {
						continue
					}
					if last > 0 {
						gap = max(gap, g.slot-last)
					}
					last, longest = g.slot, max(longest, g.slot-g.began)
				}
				t.Logf("the background was without a slot for %v, one of its processes for %v", gap, longest)
				if gap > all {
					t.Errorf("the background was without a slot for %v, want at most %v", gap, all)
				}
				if held && longest > each {
					t.Errorf("a process of the background was without a slot for %v, want at most %v", longest, each)
				}
			})
		}
	}
}

// starved is the most slots that went to the round between two of the background.
func (f *fleet) starved() (most int) {
	n := 0
	for _, g := range f.grants {
		if g.of.right > 0 {
			n = 0
			continue
		}
		n++
		most = max(most, n)
	}
	return most
}

// wantBackground holds what is promised of a background that always waits, beside the
// faults of the fleet above: of its processes one may be away for as long as it takes to
// stall, to die and to stall again. What the server does costs the round as much.
func (f *fleet) wantBackground(t *testing.T, round, background int) {
	t.Helper()
	if round == 0 || background == 0 {
		return
	}
	const away = 11 * time.Second
	got, want := f.starved(), max(minimum, (round+2*background-1)/background)+int(away/interval)
	t.Logf("the background was without a slot for %d of the round's at most", got)
	if got > want {
		t.Errorf("the background was without a slot for %d of the round's, want at most %d", got, want)
	}
}
