package ratelimit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"mirrorfleet/shared/ratelimit"
)

// TestBatchesKeepTheLimit: where slots are close together a call reserves several,
// each of which is one slot of the limit.
func TestBatchesKeepTheLimit(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			limiters := []*sender{s.limiter(t, swift()), s.limiter(t, swift()), s.limiter(t, swift())}
			saturateBy(t, limiters, 24, 900, func() {})
			var asked, refused, had int64
			for _, l := range limiters {
				stats := l.Stats()
				asked, refused, had = asked+stats.Asked, refused+stats.Refused, had+stats.Granted
			}
			if granted := state(t, limiters[0]).Granted; granted < 3*(asked-refused) || granted < had {
				t.Errorf("%d slots by %d calls of which %d were refused, %d permits; want three slots a call at least, and one for each permit",
					granted, asked, refused, had)
			}
		})
	}
}

// TestBatchFaultsMidway: a state that is lost or wrong costs a limit of many
// requests no more than one of few.
func TestBatchFaultsMidway(t *testing.T) {
	t.Parallel()
	type what struct {
		name     string
		start    func(testing.TB) *server
		do       func(*testing.T, *server, *sender)
		restarts int64
	}
	all := []what{
		{"restart", process, func(t *testing.T, s *server, _ *sender) { t.Helper(); s.stop(t); s.start(t) }, 1},
		{"failover to a laggard", pair, func(t *testing.T, s *server, _ *sender) { t.Helper(); s.promote(t) }, 2},
		{"cool-down", process, func(t *testing.T, _ *server, l *sender) {
			t.Helper()
			if err := l.CoolDown(t.Context(), time.Second); err != nil {
				t.Logf("the cool-down comes with the next reservation: %v", err)
			}
		}, 1},
	}
	for _, fault := range faults() {
		all = append(all, what{fault.name, process, func(t *testing.T, s *server, _ *sender) {
			t.Helper()
			fault.do(t, s, patient(t, s))
		}, fault.restarts})
	}
	for _, test := range all {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := test.start(t)
			limiters := make([]*sender, crowd)
			for i := range limiters {
				limiters[i] = s.limiter(t, swift())
			}
			saturateBy(t, limiters, 12, 700, func() { test.do(t, s, limiters[0]) })
			wantRestarts(t, limiters[0], test.restarts)
		})
	}
}

// crowded is a process whose waiters have asked in one call: they came while Redis
// was away, and the bucket that it comes back with begins a horizon ahead.
type crowded struct {
	*sender

	leave []context.CancelFunc // each waiter's, in their order
	gone  []chan error
	asked int64 // calls before Redis was back
}

func queued(t *testing.T, s *server, cfg ratelimit.Config, waiters int) *crowded {
	t.Helper()
	c := &crowded{sender: s.limiterBy(t, cfg, patient(t, s))}
	s.stop(t)
	for i := range waiters {
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		c.leave, c.gone = append(c.leave, cancel), append(c.gone, gone)
		go func() {
			_, err := c.Permit(ctx)
			gone <- err
		}()
		await(t, "the waiter is in line", func() bool { return c.Stats().Waiting > i })
	}
	c.asked = c.Stats().Asked
	s.start(t)
	s.awaitListener(t)
	await(t, "a grant", func() bool { return state(t, c.sender).Granted > 0 })

	return c
}

// patientSwift is swift with time enough to do something to a batch before its
// slots come, and a jitter that no busy machine misses: a slot each 20 ms.
func patientSwift() ratelimit.Config {
	cfg := swift()
	cfg.Window, cfg.Jitter, cfg.Timeout, cfg.Horizon = 5*time.Second, 5*time.Second, 5*time.Second, 3*time.Second

	return cfg
}

// TestAStopVoidsABatch: all slots of it, whoever stops the egress.
func TestAStopVoidsABatch(t *testing.T) {
	t.Parallel()
	const stop, waiters = 3500 * time.Millisecond, 10
	for name, start := range map[string]func(testing.TB) *server{
		"embedded": embedded, "redis-server": process, "primary and replica": pair,
	} {
		for kind, end := range map[string]func(*testing.T, *server, *crowded) error{
			"own cool-down": func(t *testing.T, _ *server, c *crowded) error { t.Helper(); return c.CoolDown(t.Context(), stop) },
			"hold": func(t *testing.T, s *server, _ *crowded) error {
				t.Helper()
				_, err := s.desk(t).Hold(t.Context(), stop)

				return err
			},
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				s := start(t)
				c := queued(t, s, patientSwift(), waiters)
				if got := state(t, c.sender).Granted; got != waiters {
					t.Fatalf("%d slots were granted, want one for each of %d waiters", got, waiters)
				}
				began := time.Now()
				if err := end(t, s, c); err != nil {
					t.Fatal(err)
				}
				for _, gone := range c.gone {
					if err := <-gone; err != nil {
						t.Error(err)
					}
					if waited := time.Since(began); waited < stop {
						t.Errorf("a permit came %v into a stop of %v", waited, stop)
					}
				}
				if void := c.Stats().Void; void != waiters {
					t.Errorf("%d reservations were void, want all %d of the batch", void, waiters)
				}
			})
		}
	}
}

// TestSlotsOfThoseWhoWent: of a batch, they go to the waiters behind them, and to
// those who come while they can be used.
func TestSlotsOfThoseWhoWent(t *testing.T) {
	t.Parallel()
	s := process(t)
	const waiters = 6
	c := queued(t, s, patientSwift(), waiters)
	asked := c.Stats().Asked
	for _, i := range []int{0, 3} { // the one whose turn it is, and one in line
		c.leave[i]()
		if err := <-c.gone[i]; !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled Permit returned %v, want context.Canceled", err)
		}
	}
	for _, i := range []int{1, 2, 4, 5} {
		if err := <-c.gone[i]; err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		permit(t, c.sender)
	}
	if stats, granted := c.Stats(), state(t, c.sender).Granted; stats.Asked != asked || stats.Late != 0 || granted != waiters {
		t.Errorf("%d slots, %d calls more, %d late; want the %d slots of the one call to be used", granted, stats.Asked-asked, stats.Late, waiters)
	}
	permit(t, c.sender)
	if got := c.Stats().Asked; got == asked {
		t.Error("a seventh permit came of six slots")
	}
}

// TestSlotsThatNobodyUsed in time are thrown away and counted, all of them.
func TestSlotsThatNobodyUsed(t *testing.T) {
	t.Parallel()
	s := process(t)
	const waiters = 6
	cfg := patientSwift()
	cfg.Jitter, cfg.Timeout, cfg.Horizon = time.Second, time.Second, time.Second
	c := queued(t, s, cfg, waiters)
	for i, leave := range c.leave {
		leave()
		<-c.gone[i]
	}
	left := waiters - c.Stats().Granted // for a busy machine may let their slots come first
	other := s.limiter(t, cfg)
	for past := time.Now().Add(cfg.Horizon + cfg.Jitter + time.Second/2); time.Now().Before(past); {
		permit(t, other)
	}
	permit(t, c.sender)
	if late := c.Stats().Late; late < left {
		t.Errorf("%d reservations are counted as late, want the %d that nobody used", late, left)
	}
}

// TestOneSlotACallAtTheMirrorsRate: slots are further apart there than a batch is
// long, so however many wait in a process it has one slot at a time.
func TestOneSlotACallAtTheMirrorsRate(t *testing.T) {
	t.Parallel()
	const waiters = 64
	c := queued(t, process(t), ratelimit.Config{Log: quick().Log}, waiters)
	granted, calls := state(t, c.sender).Granted, c.Stats().Asked-c.asked // more than one if an answer was late
	if granted > calls {
		t.Errorf("a process with %d waiters was granted %d slots by %d calls, want one a call", waiters, granted, calls)
	}
	for i, leave := range c.leave {
		leave()
		<-c.gone[i]
	}
}
