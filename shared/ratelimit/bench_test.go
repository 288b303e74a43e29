package ratelimit_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/windows"
)

// BenchmarkSaturated uses the mirror's own limit in full for forty seconds, by fleets of
// several sizes. Beside them, 64 processes poll redis_rate at 50 in 10 s. All run at the
// same time, each fleet on a Redis of its own. A process is a limiter with a client of
// its own.
func BenchmarkSaturated(b *testing.B) {
	rows := []*saturated{
		{name: "ours, 1 process", processes: 1, waiters: 1},
		{name: "ours, 8 processes", processes: 8, waiters: 1},
		{name: "ours, 64 waiters of 1 process", processes: 1, waiters: 64},
		{name: "ours, 64 processes", processes: 64, waiters: 1, horizon: 15 * time.Second},
		{name: "ours, 64 processes, horizon of 46", processes: 64, waiters: 1},
		{name: "ours, 8 processes and 4 of the background", processes: 8, background: 4, waiters: 1},
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
	background         int           // processes of the background beside them
	horizon            time.Duration // zero for the default
	theirs             bool

	limiters []*ratelimit.Limiter // those of the background last
	views    []*ratelimit.Background
	clients  []*redis.Client
	began    time.Time // when the first permit came
	took     time.Duration

	mu     sync.Mutex
	seen   arrivals
	calls  int64
	late   int64
	waited []time.Duration // by waiters that had waited in line before
}

// take starts the fleet's Redis and its processes.
func (s *saturated) take(b *testing.B) {
	b.Helper()
	server := process(b)
	for range s.processes + s.background {
		if s.theirs {
			s.clients = append(s.clients, server.client(b).(*redis.Client))
		} else {
			s.limiters = append(s.limiters, server.limiter(b, ratelimit.Config{
				Horizon: s.horizon, Log: slog.New(slog.DiscardHandler),
			}).Limiter)
			if _, err := s.limiters[len(s.limiters)-1].State(b.Context()); err != nil { // so it has its connection before the start
				b.Fatal(err)
			}
		}
	}
	for _, l := range s.limiters[min(s.processes, len(s.limiters)):] {
		view, err := l.Background(1)
		if err != nil {
			b.Fatal(err)
		}
		s.views = append(s.views, view)
	}
}

// warm lets every process have a permit. So the figures are those of a bucket in use,
// without the pause of a new one.
func (s *saturated) warm(ctx context.Context, b *testing.B) {
	b.Helper()
	var all sync.WaitGroup
	for _, l := range s.limiters {
		all.Go(func() {
			if _, err := l.Permit(ctx); err != nil {
				b.Errorf("%s: %v", s.name, err)
			}
		})
	}
	all.Wait()
}

// run has all processes take permits for the given time.
func (s *saturated) run(ctx context.Context, b *testing.B, length time.Duration) {
	b.Helper()
	s.began = time.Now()
	s.seen.began = s.began
	calls, late := s.stats()
	var all sync.WaitGroup
	for i := range s.processes + s.background {
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

// note records a permit as a request that is sent at once. A first wait is shorter than
// the others, because the line is still forming.
func (s *saturated) note(waited time.Duration, first bool) {
	s.seen.send(time.Now().Add(time.Hour)) // its use-by has been seen to
	if first {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited = append(s.waited, waited)
}

// permit takes one permit. With redis_rate it polls: it asks, waits for as long as the
// answer says, and asks again.
func (s *saturated) permit(ctx context.Context, i int) error {
	if i >= s.processes {
		_, err := s.views[i-s.processes].Permit(ctx)
		return err
	}
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
	if s.background > 0 {
		var background int64
		for _, l := range s.limiters {
			background += l.Stats().Background
		}
		b.ReportMetric(100*float64(background)/float64(len(s.seen.times)), "%background")
	}
	b.ReportMetric(float64(worst.Fixed), "worst-fixed")
	b.ReportMetric(float64(worst.Sliding), "worst-sliding")
	b.ReportMetric(worst.TwoWindow, "worst-two-window")
	b.ReportMetric(100*permits/s.took.Seconds()/5, "%limit")
	b.ReportMetric(float64(s.calls)/permits, "calls/permit")
	b.ReportMetric(longest.Seconds()*float64(len(s.waited))/total.Seconds(), "longest/mean")
	b.ReportMetric(100*float64(s.late)/(permits+float64(s.late)), "%late")
}
