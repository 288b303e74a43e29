package bucket_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"mirrorfleet/shared/ratelimit/bucket"
	"mirrorfleet/shared/ratelimit/windows"
)

const limit = 50

// soak asks for the long form: a whole day. MIRRORFLEET_SOAK is set by make soak.
func soak() bool { return os.Getenv("MIRRORFLEET_SOAK") != "" }

// TestFleetHoldsTheLimit drives fleets through hours of virtual time, with a background
// beside the round and without, with processes that stall and die, a slow network, and a server that loses its
// state, comes back with an old one, is away, or whose clock steps. Requests
// arrive at any moment that their permits allow, the last one included.
func TestFleetHoldsTheLimit(t *testing.T) {
	t.Parallel()
	for n, length := range map[struct{ round, background int }]time.Duration{
		{1, 0}: time.Hour, {8, 0}: time.Hour, {64, 0}: time.Hour, {256, 0}: 15 * time.Minute, // 256 ask far more often
		{1, 1}: time.Hour, {8, 8}: time.Hour, {32, 64}: time.Hour, {0, 8}: time.Hour,
	} {
		if soak() {
			length = 24 * time.Hour
		}
		for name, faults := range map[string][]func(*fleet){
			"no faults of the server": nil,
			"lost states":             {(*fleet).lose, (*fleet).lose, (*fleet).leave},
			"old states":              {(*fleet).promote, (*fleet).leave},
			"clock steps":             {(*fleet).stepBack, (*fleet).stepForward},
			"everything": {
				(*fleet).lose, (*fleet).promote, (*fleet).leave, (*fleet).stepBack, (*fleet).stepForward,
				(*fleet).spoil, (*fleet).coolDown,
			},
		} {
			t.Run(fmt.Sprintf("%d of the round, %d of the background, %s", n.round, n.background, name), func(t *testing.T) {
				t.Parallel()
				f := newFleet(uint64(n.round), n.round)
				f.join(n.background-n.background/2, unspaced)
				f.join(n.background/2, byHalf)
				f.plague(faults)
				f.runFor(length)
				worst := windows.Worst(f.arrivals, window)
				t.Logf("%d arrivals, %d calls, %d late, %d refused, %d starts, worst %+v",
					len(f.arrivals), f.asked, f.late, f.refused, f.state.Restarts, worst)
				f.wantBackground(t, n.round, n.background)
				highest := limit
				if name == "no faults of the server" {
					highest = limit - 1 // the spare is not for what processes do
				}
				if worst.Max() > highest {
					t.Errorf("worst window is %+v, want at most %d", worst, highest)
				}
				if minimum := int(length.Hours() * 10_000); len(f.arrivals) < minimum {
					t.Errorf("%d arrivals in %v, want at least %d: the fleet stands still, so nothing was tested",
						len(f.arrivals), length, minimum)
				}
			})
		}
	}
}

// TestFleetUsesTheLimit holds the other half: without faults the whole rate is
// used, by one process as by many, and nobody polls.
func TestFleetUsesTheLimit(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{1, 8, 46} {
		t.Run(fmt.Sprint(processes), func(t *testing.T) {
			t.Parallel()
			f := newFleet(1, processes)
			f.calm = true
			f.runFor(time.Minute)
			arrivals, calls := len(f.arrivals), f.asked
			f.runFor(time.Hour)
			rate := float64(len(f.arrivals)-arrivals) / time.Hour.Seconds()
			if share := rate / 5; share < 0.93 {
				t.Errorf("%.3f permits per second are %.2f %% of 5, want 93 %%", rate, 100*share)
			}
			perPermit := float64(f.asked-calls) / float64(len(f.arrivals)-arrivals)
			if perPermit > 1.05 {
				t.Errorf("%.3f calls per permit, want at most 1.05", perPermit)
			}
			t.Logf("%.3f permits per second, %.3f calls per permit", rate, perPermit)
		})
	}
}

// TestSimulationSees shows that the counters find what is wrong with the usual
// limiters, so that their silence above means something.
func TestSimulationSees(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		allow func() func(now time.Duration) bool
		want  float64
		count func(windows.Counts) float64
	}{
		"a bucket of 50 refilled at 5/s": {
			func() func(time.Duration) bool {
				free := time.Duration(0) // when the bucket is full again
				return func(now time.Duration) bool {
					if next := max(free, now) + 200*time.Millisecond; next-now <= window {
						free = next
						return true
					}
					return false
				}
			}, 99, func(c windows.Counts) float64 { return float64(c.Fixed) },
		},
		"fixed windows of 50": {
			func() func(time.Duration) bool {
				count, index := 0, time.Duration(-1)
				return func(now time.Duration) bool {
					if now/window != index {
						count, index = 0, now/window
					}
					count++
					return count <= limit
				}
			}, 100, func(c windows.Counts) float64 { return float64(c.Fixed) },
		},
		"a sliding log of 50, by the two-window estimate": {
			func() func(time.Duration) bool {
				var log []time.Duration
				return func(now time.Duration) bool {
					log = slices.DeleteFunc(log, func(t time.Duration) bool { return t <= now-window })
					if len(log) < limit {
						log = append(log, now)
						return true
					}
					return false
				}
			}, 99, func(c windows.Counts) float64 { return c.TwoWindow },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			allow := test.allow()
			var arrivals []time.Duration
			// A backlog comes just before an edge, as bad luck would have it.
			for now := window - 100*time.Millisecond; now < time.Minute; now += time.Millisecond {
				if allow(now) {
					arrivals = append(arrivals, now)
				}
			}
			if got := test.count(windows.Worst(arrivals, window)); got < test.want {
				t.Errorf("%s: worst window %v, want the counter to find %v", name, got, test.want)
			}
		})
	}
}

// TestFleetBreaksWithoutTheRules shows that the fleet above can fail: with the
// state after a loss taken for an idle bucket, it does.
func TestFleetBreaksWithoutTheRules(t *testing.T) {
	t.Parallel()
	f := newFleet(1, 64)
	f.plague([]func(*fleet){func(f *fleet) {
		f.state.NextSlot = f.clock() // as if nothing had been granted
		f.state.Epoch++              // and nobody remembered
	}})
	f.runFor(time.Hour)
	if worst := windows.Worst(f.arrivals, window); worst.Max() <= limit {
		t.Errorf("worst window %+v of a fleet that forgets its slots, want more than %d", worst, limit)
	}
}

// plague lets one of the faults happen every minute or so.
func (f *fleet) plague(faults []func(*fleet)) {
	if len(faults) == 0 {
		return
	}
	var next func()
	next = func() {
		faults[f.random.IntN(len(faults))](f)
		f.after(10*time.Second+f.upTo(2*time.Minute), next)
	}
	f.after(f.upTo(time.Minute), next)
	var keep func()
	keep = func() {
		f.older = append(f.older, f.state)
		f.older = f.older[max(0, len(f.older)-60):]
		f.after(time.Second, keep)
	}
	keep()
}

// lose is a restart without a dump, or FLUSHALL.
func (f *fleet) lose() { f.state = bucket.State{} }

// promote is a restart with a dump or a replica that lagged: an older state,
// another run id, another clock.
func (f *fleet) promote() {
	f.state = f.older[f.random.IntN(len(f.older))]
	f.run = fmt.Sprint("run", f.random.Uint32())
	f.offset += f.upTo(2*time.Second) - time.Second
}

// leave is a server that is away for a while.
func (f *fleet) leave() {
	f.down = true
	f.after(f.upTo(30*time.Second), func() { f.down = false })
}

func (f *fleet) stepBack()    { f.offset -= f.step() }
func (f *fleet) stepForward() { f.offset += f.step() }

// step is anything from milliseconds to an hour, the small ones as likely.
func (f *fleet) step() time.Duration {
	return f.upTo([]time.Duration{
		50 * time.Millisecond, 300 * time.Millisecond, 3 * time.Second, 15 * time.Second, time.Hour,
	}[f.random.IntN(5)])
}

// spoil puts the next slot where it cannot be.
func (f *fleet) spoil() { f.state.NextSlot += time.Hour.Microseconds() }

// coolDown is reported by a process that draws no permits.
func (f *fleet) coolDown() {
	in := request()
	in.Cool = f.upTo(30 * time.Second).Microseconds()
	f.state, _ = bucket.Decide(f.state, f.run, f.clock(), in)
}
