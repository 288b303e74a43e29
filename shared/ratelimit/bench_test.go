package ratelimit_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/windows"
)

// unlimited is a bucket with the limit set out of the way: a slot each
// microsecond, the finest there is. No call is lost to a busy machine, nor is one
// of redis_rate's.
func unlimited() ratelimit.Config {
	cfg := quick()
	cfg.Limit, cfg.Rate = math.MaxInt32, 1e6
	cfg.Window, cfg.Jitter, cfg.Timeout = 10*time.Second, 10*time.Second, 10*time.Second

	return cfg
}

// BenchmarkPermits is how many permits one Redis grants with the limit out of the
// way, by processes with so many waiters each, beside redis_rate's Allow at the same
// million a second, called by as many at once over as many clients. The two take
// turns of a tenth of a second or so, so that a busy machine is busy for both.
func BenchmarkPermits(b *testing.B) {
	for name, start := range single {
		for _, fleet := range []struct{ processes, waiters int }{{1, 64}, {8, 8}, {64, 1}, {8, 1}, {1, 1}} {
			b.Run(fmt.Sprintf("%s/%d x %d", name, fleet.processes, fleet.waiters), func(b *testing.B) {
				s := start(b)
				ours, theirs := oursAtOnce(b, s, fleet.processes, fleet.waiters), theirsAtOnce(b, s, fleet.processes, fleet.waiters)
				const turn = 1280
				var spent [2]time.Duration
				turns := 0
				for b.Loop() {
					for i, take := range []func(*testing.B, int){ours, theirs} {
						began := time.Now()
						take(b, turn)
						spent[i] += time.Since(began)
					}
					turns++
				}
				rate := func(d time.Duration) float64 { return float64(turns*turn) / d.Seconds() }
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(rate(spent[0]), "permits/s")
				b.ReportMetric(rate(spent[1]), "redis_rate/s")
				b.ReportMetric(rate(spent[0])/rate(spent[1]), "ours/theirs")
			})
		}
	}
}

// oursAtOnce lets the waiters of several processes take their share of n permits.
func oursAtOnce(b *testing.B, s *server, processes, waiters int) func(*testing.B, int) {
	b.Helper()
	limiters := make([]*ratelimit.Limiter, processes)
	for i := range limiters {
		limiters[i] = s.limiterBy(b, unlimited(), patient(b, s)).Limiter
	}
	share(processes, processes, func(i int) { // the bucket starts, and everybody has a connection
		if _, err := limiters[i].Permit(b.Context()); err != nil {
			b.Error(err)
		}
	})

	return func(b *testing.B, n int) {
		b.Helper()
		share(n, processes*waiters, func(i int) {
			if _, err := limiters[i%processes].Permit(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}

// theirsAtOnce is the same with redis_rate, on clients of the same kind.
func theirsAtOnce(b *testing.B, s *server, processes, waiters int) func(*testing.B, int) {
	b.Helper()
	limit := redis_rate.Limit{Rate: 1e6, Burst: 1e6, Period: time.Second}
	limiters := make([]*redis_rate.Limiter, processes)
	for i := range limiters {
		limiters[i] = redis_rate.NewLimiter(patient(b, s))
	}

	return func(b *testing.B, n int) {
		b.Helper()
		share(n, processes*waiters, func(i int) {
			if result, err := limiters[i%processes].Allow(b.Context(), "out of the way", limit); err != nil || result.Allowed != 1 {
				b.Errorf("Allow: %+v, %v", result, err)
			}
		})
	}
}

// share does something n times in all, by several at once.
func share(n, several int, do func(i int)) {
	var all sync.WaitGroup
	for i := range several {
		all.Go(func() {
			for range n / several {
				do(i)
			}
		})
	}
	all.Wait()
}

// BenchmarkSaturated is the mirror's own limit in full use for forty seconds, by
// fleets of several sizes, beside 64 processes that poll redis_rate at 50 in 10 s.
// All run at the same time, each on a Redis of its own. A process is a limiter with
// a client of its own.
func BenchmarkSaturated(b *testing.B) {
	rows := []*saturated{
		{name: "ours, 1 process", processes: 1, waiters: 1},
		{name: "ours, 8 processes", processes: 8, waiters: 1},
		{name: "ours, 64 waiters of 1 process", processes: 1, waiters: 64},
		{name: "ours, 64 processes", processes: 64, waiters: 1, horizon: 15 * time.Second},
		{name: "ours, 64 processes, horizon of 46", processes: 64, waiters: 1},
		{name: "redis_rate, 64 processes", processes: 64, waiters: 1, theirs: true},
	}
	var all sync.WaitGroup
	for _, row := range rows {
		row.take(b)
		all.Go(func() {
			row.warm(b.Context(), b)
			row.run(b.Context(), b, 40*time.Second)
		})
	}
	all.Wait()
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			for b.Loop() { // measured above, all at once
			}
			row.report(b)
		})
	}
}

// saturated is one fleet in full use.
type saturated struct {
	name               string
	processes, waiters int
	horizon            time.Duration // zero for the default
	theirs             bool

	limiters []*ratelimit.Limiter
	clients  []*redis.Client
	began    time.Time // when the first permit came
	took     time.Duration

	mu     sync.Mutex
	seen   arrivals
	calls  int64
	late   int64
	waited []time.Duration // by those who had waited in line before
}

// take starts the fleet's Redis and its processes.
func (s *saturated) take(b *testing.B) {
	b.Helper()
	server := process(b)
	for range s.processes {
		if s.theirs {
			s.clients = append(s.clients, server.client(b).(*redis.Client))
		} else {
			s.limiters = append(s.limiters, server.limiter(b, ratelimit.Config{
				Horizon: s.horizon, Log: slog.New(slog.DiscardHandler),
			}).Limiter)
			if _, err := s.limiters[len(s.limiters)-1].State(b.Context()); err != nil { // it has its connection
				b.Fatal(err)
			}
		}
	}
}

// warm lets every process have a permit: the figures are of a bucket in use, not of
// the pause of a new one.
func (s *saturated) warm(ctx context.Context, b *testing.B) {
	b.Helper()
	share(len(s.limiters), len(s.limiters), func(i int) {
		if _, err := s.limiters[i].Permit(ctx); err != nil {
			b.Errorf("%s: %v", s.name, err)
		}
	})
}

// run lets everybody take permits for as long as is said.
func (s *saturated) run(ctx context.Context, b *testing.B, length time.Duration) {
	b.Helper()
	s.began = time.Now()
	s.seen.began = s.began
	calls, late := s.stats()
	var all sync.WaitGroup
	for i := range s.processes {
		for range s.waiters {
			all.Go(func() {
				for first := true; time.Since(s.began) < length; first = false {
					asked := time.Now()
					if err := s.permit(ctx, i); err != nil {
						b.Errorf("%s: %v", s.name, err)

						return
					}
					s.note(time.Since(asked), first)
				}
			})
		}
	}
	all.Wait()
	s.took = time.Since(s.began)
	nowCalls, nowLate := s.stats()
	s.calls, s.late = s.calls+nowCalls-calls, nowLate-late
}

// note takes a permit down as a request that is sent at once. A first wait is
// shorter than the others: the line is still forming.
func (s *saturated) note(waited time.Duration, first bool) {
	s.seen.send(time.Now().Add(time.Hour)) // its use-by has been seen to
	if first {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited = append(s.waited, waited)
}

// permit takes one permit; with redis_rate by polling: ask, and if it is not yet
// allowed wait for as long as the answer says and ask again.
func (s *saturated) permit(ctx context.Context, i int) error {
	if !s.theirs {
		_, err := s.limiters[i].Permit(ctx)

		return err
	}
	limiter := redis_rate.NewLimiter(s.clients[i])
	for {
		result, err := limiter.Allow(ctx, "mirror", redis_rate.Limit{Rate: 50, Burst: 50, Period: 10 * time.Second})
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.calls++
		s.mu.Unlock()
		if result.Allowed == 1 {
			return nil
		}
		timer := time.NewTimer(result.RetryAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()

			return ctx.Err()
		}
	}
}

// stats are the calls to Redis and the permits thrown away.
func (s *saturated) stats() (calls, late int64) {
	for _, l := range s.limiters {
		calls, late = calls+l.Stats().Asked, late+l.Stats().Late
	}

	return calls, late
}

func (s *saturated) report(b *testing.B) {
	b.Helper()
	worst := windows.Worst(s.seen.times, ratelimit.DefaultWindow)
	permits := float64(len(s.seen.times))
	var total, longest time.Duration
	for _, waited := range s.waited {
		total, longest = total+waited, max(longest, waited)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(worst.Fixed), "worst-fixed")
	b.ReportMetric(float64(worst.Sliding), "worst-sliding")
	b.ReportMetric(worst.TwoWindow, "worst-two-window")
	b.ReportMetric(100*permits/s.took.Seconds()/5, "%limit")
	b.ReportMetric(float64(s.calls)/permits, "calls/permit")
	b.ReportMetric(longest.Seconds()*float64(len(s.waited))/total.Seconds(), "longest/mean")
	b.ReportMetric(100*float64(s.late)/(permits+float64(s.late)), "%late")
}
