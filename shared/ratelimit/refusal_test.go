package ratelimit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// TestAFaultOfRedisIsARefusal: a server that answers and grants nothing counts as
// refusing. A process that waits for a permit, an idle process that checks, and doctor
// all get its word and its remedy. The log has one line.
func TestAFaultOfRedisIsARefusal(t *testing.T) {
	t.Parallel()
	for name, fault := range redistest.Faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartFaulty(t, fault)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var log telemetrytest.Log
			cfg := quick() // a busy machine must not cut its calls off: they would count as silence
			cfg.Limit = 502
			cfg.Window = 10 * time.Second
			cfg.Jitter = 10 * time.Second
			cfg.Timeout = 10 * time.Second
			cfg.Log = log.Logger()
			rdb := must.Get(ratelimit.NewClient(s.URL(), 10*time.Second))(t)
			t.Cleanup(func() { _ = rdb.Close() })
			limiter := must.Get(ratelimit.New(cfg, rdb))(t)
			defer limiter.Close()
			must.Get(limiter.Permit(ctx))(t)
			must.Check(t, limiter.Check(ctx))

			s.Break(t)
			must.Until(ctx, t, "the check refuses", func() bool { return ratelimit.Code(limiter.Check(ctx)) == fault.Code })
			_, tried := ratelimit.TryGrant(ctx, rdb, cfg, 10*time.Second)
			for who, err := range map[string]error{"the check": limiter.Check(ctx), "the process": limiter.Stats().Trouble, "the trial": tried} {
				if ratelimit.Code(err) != fault.Code || !strings.Contains(err.Error(), "Redis refuses: "+fault.Code) {
					t.Errorf("%s: got %v, want that Redis refuses: %s", who, err, fault.Code)
				}
			}
			waiting := make(chan error, 1)
			go func() {
				_, err := limiter.Permit(ctx)
				waiting <- err
			}()
			must.Until(ctx, t, "a permit is refused", func() bool { return limiter.Stats().Lost > 0 })

			s.Heal(t)
			must.Do(t, must.Receive(ctx, t, waiting, "the permit"))
			must.Check(t, limiter.Check(ctx))
			if n, silent := log.Count(`msg="Redis refuses`), log.Count("does not answer"); n != 1 || silent != 0 {
				t.Errorf("the log says %d times that it refuses and %d times that it is silent, want once and never:\n%s", n, silent, log.String())
			}
			log.Await(ctx, t, "Redis grants permits again")
		})
	}
}

// TestACheckSpendsNothing: it costs no slot and no count. Only the bucket's time changes.
func TestACheckSpendsNothing(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		idle, busy := s.patientLimiter(t, quick()), s.patientLimiter(t, quick())
		permit(t, busy)
		rdb := patient(t, s)
		key := ratelimit.Key("default")
		before := must.Get(rdb.HGetAll(t.Context(), key).Result())(t)
		must.Do(t, idle.Check(t.Context()))
		must.Get(ratelimit.TryGrant(t.Context(), rdb, quick(), time.Second))(t)
		after := must.Get(rdb.HGetAll(t.Context(), key).Result())(t)
		for _, moves := range []string{"high", "skew", "cool"} { // the bucket's time, and a cool-down that is over by it
			delete(before, moves)
			delete(after, moves)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("a check changes the bucket (-before +after):\n%s", diff)
		}
		if stats := idle.Stats(); stats.Asked != 0 || stats.Granted != 0 {
			t.Errorf("a check counts as a call for a permit: %+v", stats)
		}
	})
}

// TestAServerThatIsAwayDoesNotRefuse.
func TestAServerThatIsAwayDoesNotRefuse(t *testing.T) {
	t.Parallel()
	onEach(t, single, func(t *testing.T, s *server) {
		l := s.patientLimiter(t, quick())
		s.stop(t)
		err := l.Check(t.Context())
		if err == nil || ratelimit.Code(err) != "" || !strings.Contains(err.Error(), "Redis does not answer") {
			t.Errorf("got %v, want that Redis does not answer", err)
		}
		if again := ratelimit.Trouble(err); again.Error() != err.Error() {
			t.Errorf("said again it is %q, want %q", again, err)
		}
		s.start(t)
	})
}
