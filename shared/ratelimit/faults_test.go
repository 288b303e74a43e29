package ratelimit_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// crowd is as many processes as the horizon of quick has slots. Each of them holds a
// slot, so a bucket that forgot these would let every process send twice.
const crowd = 20

// fault is one thing that happens to a bucket in full use.
type fault struct {
	name string
	do   func(t *testing.T, s *server, rdb redis.UniversalClient)
	// restarts is how many starts from an unknown state the bucket counts afterwards: one
	// if the count was lost as well, two if it was not.
	restarts int64
}

// faults are the ways in which a bucket's state can be lost or damaged. A step of the
// clock is a difference from the bucket's time, which the record keeps as its skew.
// TestScriptReadsTheServersClock shows that the script reads the server's clock.
func faults() []fault {
	const hour = int64(time.Hour / time.Microsecond)
	set := func(field string, value func() any) func(*testing.T, *server, redis.UniversalClient) {
		return func(t *testing.T, _ *server, rdb redis.UniversalClient) {
			t.Helper()
			must.Check(t, rdb.HSet(t.Context(), ratelimit.Key("default"), field, value()).Err())
		}
	}
	step := func(by int64) func(*testing.T, *server, redis.UniversalClient) {
		return func(t *testing.T, _ *server, rdb redis.UniversalClient) {
			t.Helper()
			must.Check(t, rdb.HIncrBy(t.Context(), ratelimit.Key("default"), "skew", by).Err())
		}
	}
	return []fault{
		{"the key is missing", func(t *testing.T, _ *server, rdb redis.UniversalClient) {
			t.Helper()
			must.Check(t, rdb.Del(t.Context(), ratelimit.Key("default")).Err())
		}, 1},
		{"FLUSHALL", func(t *testing.T, _ *server, rdb redis.UniversalClient) {
			t.Helper()
			everywhere(t, rdb, func(ctx context.Context, node *redis.Client) error { return node.FlushAll(ctx).Err() })
		}, 1},
		{"a run id never seen", set("run", func() any { return "0123456789abcdef" }), 2},
		{"a next slot in the far future", set("next", func() any {
			return strconv.FormatInt(time.Now().Add(24*time.Hour).UnixMicro(), 10)
		}), 2},
		{"a next slot of long ago", set("next", func() any { return "1700000000000000" }), 2},
		{"the clock steps back an hour", step(hour), 1},
		{"the clock steps forward an hour", step(-hour), 1},
	}
}

// TestFaultsMidway lets each fault happen to a fleet in full use. countArrivals counts
// all that was sent when the test ends.
func TestFaultsMidway(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		for _, fault := range faults() {
			t.Run(name+"/"+fault.name, func(t *testing.T) {
				t.Parallel()
				s := start(t)
				limiters, rdb := fleet(t, s, crowd), patient(t, s)
				saturate(t, limiters, 90, func() { fault.do(t, s, rdb) })
				wantRestarts(t, limiters[0], fault.restarts)
			})
		}
	}
}

// TestRestartMidway: the server goes and comes back, empty or as its former replica.
func TestRestartMidway(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		limiters := fleet(t, s, crowd)
		saturate(t, limiters, 90, func() { s.stop(t); s.start(t) })
		want := int64(1)
		if s.promote != nil {
			want = 2
		}
		wantRestarts(t, limiters[0], want)
	})
}

// TestFailoverToALaggingReplica: a replica that has not received the last slots must not
// grant them again.
func TestFailoverToALaggingReplica(t *testing.T) {
	t.Parallel()
	s := pair(t)
	limiters := fleet(t, s, crowd)
	saturate(t, limiters, 120, func() { s.promote(t) })
	wantRestarts(t, limiters[0], 2)
}
