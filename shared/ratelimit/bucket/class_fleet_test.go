package bucket_test

import (
	"fmt"
	"testing"
	"time"
)

// one slot in four is the background's by right.
const right = 4 * interval

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

// run lets an hour pass, and returns what was granted after the first minute.
func (m mixed) run() *fleet {
	f := newFleet(1, 0)
	f.calm, f.slow = true, m.slow
	f.join(m.round, class{pause: m.pause})
	f.join(m.background, m.of)
	f.runFor(time.Minute)
	f.arrivals, f.grants, f.asked = nil, nil, 0
	f.runFor(time.Hour)
	return f
}

// TestTheRoundGoesFirst counts inversions.
func TestTheRoundGoesFirst(t *testing.T) {
	t.Parallel()
	for _, slow := range []time.Duration{0, 90 * time.Millisecond} {
		for _, pause := range []time.Duration{0, 300 * time.Millisecond, 3 * time.Second, 20 * time.Second} {
			for _, n := range []struct{ round, background int }{{1, 1}, {1, 8}, {3, 1}, {8, 8}, {64, 8}, {8, 64}} {
				for _, spacing := range []time.Duration{0, 2 * interval} {
					m := mixed{n.round, n.background, class{right: right, spacing: spacing}, pause, slow}
					f := m.run()
					maxB, maxA, over, tot, excess := 0, 0, 0, 0, 0
					for i, g := range f.grants {
						if g.of.right > 0 {
							continue
						}
						tot++
						b, a := 0, 0
						for j := i - 1; j >= 0 && f.grants[j].slot > g.began; j-- {
							if o := f.grants[j]; o.of.right > 0 {
								if o.granted >= g.began {
									a++
								} else {
									b++
								}
							}
						}
						maxB, maxA = max(maxB, b), max(maxA, a)
						e := a - int((g.slot-g.began)/right)
						excess = max(excess, e)
						if e > 1 {
							over++
						}
					}
					t.Logf("%v: before %d after %d over %d excess %d of %d; share %.1f", m, maxB, maxA, over, excess, tot, float64(len(f.arrivals))/180)
				}
			}
		}
	}
}
