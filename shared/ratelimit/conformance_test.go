package ratelimit_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

func fleet(t *testing.T, s *server, n int) []*sender {
	t.Helper()
	limiters := make([]*sender, n)
	for i := range limiters {
		limiters[i] = s.limiter(t, quick())
	}
	return limiters
}

func TestSaturatedFleetKeepsTheLimit(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		saturate(t, fleet(t, s, 8), 120, func() {})
	})
}

// TestFirstPermitWaitsOneHorizon, when a bucket starts from nothing.
func TestFirstPermitWaitsOneHorizon(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		began := time.Now()
		must.Get(s.limiter(t, quick()).Permit(t.Context()))(t)
		if waited, minimum := time.Since(began), quick().Horizon; waited < minimum {
			t.Errorf("the first permit of a new bucket came after %v, want at least %v", waited, minimum)
		}
	})
}

// TestUnknownStates spoils the bucket in each way that must be noticed.
func TestUnknownStates(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		far := strconv.FormatInt(time.Now().Add(24*time.Hour).UnixMicro(), 10)
		for _, test := range []struct{ name, field, value string }{
			{"another run id", "run", "0123456789abcdef"},
			{"no run id", "run", ""},
			{"a next slot in the far future", "next", far},
			{"a next slot lower than the process has seen", "next", "1700000000000000"},
			{"no next slot", "next", "0"},
			{"a field that is no number", "high", "soon"},
			{"a field that is infinite", "next", "inf"},
			{"a field that is NaN", "high", "nan"},
		} {
			t.Run(test.name, func(t *testing.T) {
				cfg := quick()
				cfg.Egress = "e" + strconv.Itoa(len(test.name))
				l, rdb := s.limiter(t, cfg), patient(t, s)
				permit(t, l)
				must.Do(t, rdb.HSet(t.Context(), ratelimit.Key(cfg.Egress), test.field, test.value).Err())
				began := time.Now()
				permit(t, l)
				if waited := time.Since(began); waited < cfg.Horizon {
					t.Errorf("%s: the next permit came after %v, want at least %v", test.name, waited, cfg.Horizon)
				}
				wantRestarts(t, l, 2)
			})
		}
	})
}

// TestOlderStateOfAnotherServer: a restart from a dump tells another run id.
func TestOlderStateOfAnotherServer(t *testing.T) {
	t.Parallel()
	s := process(t)
	l, rdb := s.limiter(t, quick()), patient(t, s)
	permit(t, l)
	dump := must.Get(rdb.HGetAll(t.Context(), ratelimit.Key("default")).Result())(t)
	s.stop(t)
	s.start(t)
	must.Do(t, patient(t, s).HSet(t.Context(), ratelimit.Key("default"), dump).Err())
	began := time.Now()
	permit(t, l)
	if waited := time.Since(began); waited < quick().Horizon {
		t.Errorf("after a restart from a dump a permit came after %v, want at least %v", waited, quick().Horizon)
	}
	wantRestarts(t, l, 2)
}

// TestRedisGone: without Redis nothing is sent. The loss and the return are each logged
// once, however many calls fail.
func TestRedisGone(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		log := newSignals()
		cfg := quick()
		cfg.Log = newLogger(log)
		l := s.patientLimiter(t, cfg)
		permit(t, l)
		s.stop(t)
		got := make(chan error, 1)
		go func() {
			_, err := l.Permit(t.Context())
			got <- err
		}()
		log.want(t, "Redis does not answer")
		if l.Stats().BlockedSince.IsZero() {
			t.Error("BlockedSince is zero while Redis is away")
		}
		await(t, "more calls that fail", func() bool { return l.Stats().Lost >= 4 })
		select {
		case err := <-got:
			t.Fatalf("a permit came without Redis (error %v)", err)
		default:
		}
		began := time.Now()
		s.start(t)
		must.Do(t, <-got)
		if waited := time.Since(began); waited < cfg.Horizon {
			t.Errorf("an empty Redis gave a permit after %v, want at least %v", waited, cfg.Horizon)
		}
		// A cluster that comes back first reports that it is down.
		for got := range log.messages {
			if got == "Redis answers again" || got == "Redis grants permits again" {
				break
			}
			if !strings.HasPrefix(got, "Redis refuses") {
				t.Errorf("logged %q, want that Redis answers", got)
			}
		}
		if len(log.messages) != 0 {
			t.Errorf("more was logged: %q", <-log.messages)
		}
		if since := l.Stats().BlockedSince; !since.IsZero() {
			t.Errorf("BlockedSince is %v after the return, want zero", since)
		}
	})
}

// TestClientIsBackAtOnce guards against a fault of the connection pool: after as many
// failed dials as it has places, it tried only once a second.
func TestClientIsBackAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, single, func(t *testing.T, s *server) {
		rdb := s.client(t).(*redis.Client)
		s.stop(t)
		for range 3 * rdb.Options().PoolSize {
			if err := rdb.Ping(t.Context()).Err(); err == nil {
				t.Fatal("PING works on a server that is gone")
			}
		}
		s.start(t)
		if err := rdb.Ping(t.Context()).Err(); err != nil {
			t.Errorf("the first PING after the return: %v", err)
		}
	})
}

// TestScriptIsLoadedAgain: a server that has forgotten the script has lost nothing.
func TestScriptIsLoadedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		l := s.patientLimiter(t, quick())
		permit(t, l)
		everywhere(t, patient(t, s), func(ctx context.Context, rdb *redis.Client) error {
			return rdb.ScriptFlush(ctx).Err()
		})
		permit(t, l)
		if lost := l.Stats().Lost; lost != 0 {
			t.Errorf("%d calls failed after SCRIPT FLUSH, want 0", lost)
		}
		wantRestarts(t, l, 1)
	})
}

// coolDown stops the egress. It tries until a busy machine has written the cool-down in
// time.
func coolDown(t *testing.T, l *sender, d time.Duration) {
	t.Helper()
	await(t, "the cool-down is written down", func() bool { return l.CoolDown(t.Context(), d) == nil })
}

// TestCoolDownStopsTheEgress, other processes included.
func TestCoolDownStopsTheEgress(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		const d = 3 * time.Second // longer than a busy machine takes to look at it
		here, there := s.limiter(t, quick()), s.limiter(t, quick())
		permit(t, here)
		permit(t, there)
		began := time.Now()
		coolDown(t, here, d)
		coolDown(t, here, d/100) // a shorter one changes nothing
		if state := state(t, there); state.CoolDown <= 0 || state.NextIn < state.CoolDown {
			t.Errorf("during a cool-down State is %+v, want CoolDown and NextIn to show it", state)
		}
		var both sync.WaitGroup
		for _, l := range []*sender{here, there} {
			both.Go(func() {
				permit(t, l)
				if waited := time.Since(began); waited < d {
					t.Errorf("a permit came %v into a cool-down of %v", waited, d)
				}
			})
		}
		both.Wait()
		saturate(t, []*sender{here, there}, 60, func() {}) // no herd afterwards
	})
}

// TestCoolDownVoidsWhatIsHeld: an earlier reservation is not used.
func TestCoolDownVoidsWhatIsHeld(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		cfg := quick()
		cfg.Horizon = 2 * time.Second // time enough to stop it
		l := s.patientLimiter(t, cfg)
		const stop = 2500 * time.Millisecond
		wantVoided(t, l, stop, func() error { return l.CoolDown(t.Context(), stop) })
	})
}

// TestCoolDownWithoutRedis: the cool-down is not forgotten, and comes with the next
// reservation.
func TestCoolDownWithoutRedis(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		l := s.limiter(t, quick())
		s.stop(t)
		began := time.Now()
		if err := l.CoolDown(t.Context(), 2*time.Second); err == nil {
			t.Error("CoolDown without Redis returned no error")
		}
		s.start(t)
		permit(t, l)
		if waited := time.Since(began); waited < 2*time.Second {
			t.Errorf("a permit came %v into a cool-down of 2s that Redis had missed", waited)
		}
	})
}

// TestEgressesAreApart, each with a bucket of its own.
func TestEgressesAreApart(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		one, other := quick(), quick()
		other.Egress = "other"
		l := s.limiter(t, one)
		permit(t, l)
		if got := state(t, s.limiter(t, other)); got.Known {
			t.Errorf("the bucket of an egress that nobody used is known: %+v", got)
		}
	})
}

func TestStateShowsTheBucket(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		l := s.patientLimiter(t, quick())
		for range 3 {
			permit(t, l)
		}
		got := state(t, l)
		used := sum(got.Use)
		granted := l.Stats().Granted + l.Stats().Late
		if !got.Known || got.Granted != granted || used != granted || got.Restarts != 1 || got.Interval != 40*time.Millisecond {
			t.Errorf("State is %+v, want a known bucket, %d granted and in use, 1 restart, 40ms", got, granted)
		}
		if (got.RunID != "") != s.tellsRunID {
			t.Errorf("RunID is %q, want one: %v", got.RunID, s.tellsRunID)
		}
	})
}

// sum is of the slots of several cells.
func sum(cells []int64) (all int64) {
	for _, n := range cells {
		all += n
	}
	return all
}

// permit takes a permit, or fails the test.
func permit(t *testing.T, l *sender) {
	t.Helper()
	if _, err := l.Permit(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Permit: %v", err)
	}
}

// state reads the bucket. On a busy machine a call may miss its timeout.
func state(t *testing.T, l *sender) ratelimit.State {
	t.Helper()
	for {
		got, err := l.State(t.Context())
		if err == nil {
			return got
		}
		var late net.Error // of the context or of the connection, whichever notices first
		if !errors.Is(err, redis.ErrPoolTimeout) && (!errors.As(err, &late) || !late.Timeout()) {
			t.Fatalf("State: %v", err)
		}
	}
}

func wantRestarts(t *testing.T, l *sender, want int64) {
	t.Helper()
	if got := state(t, l).Restarts; got != want {
		t.Errorf("the bucket started %d times from an unknown state, want %d", got, want)
	}
}
