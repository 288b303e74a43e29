package ratelimit_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/ratelimit"
)

// unlimited is a bucket with the limit set out of the way: a slot each
// microsecond, the finest there is.
func unlimited() ratelimit.Config {
	cfg := quick()
	cfg.Limit, cfg.Rate = math.MaxInt32, 1e6

	return cfg
}

// BenchmarkPermits is how many permits one Redis grants, by one process and by
// eight at once: the call, the script, and the wait for a slot that is free.
func BenchmarkPermits(b *testing.B) {
	for name, start := range map[string]func(testing.TB) *server{"embedded": embedded, "redis-server": process} {
		for _, processes := range []int{1, 8} {
			b.Run(name+"/"+map[int]string{1: "1 process", 8: "8 processes"}[processes], func(b *testing.B) {
				s := start(b)
				limiters := make([]*ratelimit.Limiter, processes)
				for i := range limiters {
					limiters[i] = s.limiter(b, unlimited()).Limiter
					if _, err := limiters[i].Permit(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				b.ResetTimer()
				var all sync.WaitGroup
				for i, l := range limiters {
					all.Go(func() {
						for range (b.N + i) / processes {
							if _, err := l.Permit(b.Context()); err != nil {
								b.Error(err)
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "permits/s")
			})
		}
	}
}

// BenchmarkWaiters is what 64 waiters of one process cost at the mirror's own
// limit: calls to Redis for each permit, the longest wait against the mean, and
// the share of permits thrown away. An iteration is one permit of each waiter,
// so one lasts fourteen seconds.
func BenchmarkWaiters(b *testing.B) {
	const waiters = 64
	l := process(b).limiter(b, ratelimit.Config{})
	if _, err := l.Permit(b.Context()); err != nil {
		b.Fatal(err)
	}
	before := l.Stats()
	var (
		all            sync.WaitGroup
		mu             sync.Mutex
		longest, total time.Duration
	)
	b.ResetTimer()
	began := time.Now()
	for range waiters {
		all.Go(func() {
			for round := range b.N {
				asked := time.Now()
				if _, err := l.Permit(b.Context()); err != nil {
					b.Error(err)
				}
				if round == 0 {
					continue // the line is still forming
				}
				mu.Lock()
				waited := time.Since(asked)
				longest, total = max(longest, waited), total+waited
				mu.Unlock()
			}
		})
	}
	all.Wait()
	after := l.Stats()
	granted := float64(after.Granted - before.Granted)
	b.ReportMetric(float64(after.Asked-before.Asked)/granted, "calls/permit")
	b.ReportMetric(100*float64(after.Late-before.Late)/granted, "%late")
	b.ReportMetric(granted/time.Since(began).Seconds(), "permits/s")
	if b.N > 1 {
		b.ReportMetric(longest.Seconds()/(total.Seconds()/float64(waiters*(b.N-1))), "longest/mean")
	}
}
