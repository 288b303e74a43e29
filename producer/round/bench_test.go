package round_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/worker/lease"
)

// BenchmarkRound runs whole rounds of no-op jobs through one worker with 64 slots. It
// concludes each a second time, by a replay of one miner in a hundred. Publishing,
// collecting and concluding must grow in proportion to the number of jobs.
func BenchmarkRound(b *testing.B) {
	for _, miners := range []int{1_000, 10_000} {
		b.Run(strconv.Itoa(miners), func(b *testing.B) {
			s := setup(b, jobstream.Config{})
			var healed atomic.Bool
			s.work(b, func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
				e := evaluated(j, 1)
				if j.UID%100 == 0 && !healed.Load() {
					e.Missing = []job.Missing{{What: "files a/b#1", Error: "503"}}
				}
				return e, nil
			}, func(c *lease.Config) { c.Slots = 64 })
			list := make([]input.Miner, miners)
			for i := range list {
				list[i] = input.Miner{UID: i + 1, Hotkey: fmt.Sprintf("h%d", i+1), GitHubID: fmt.Sprint(1000 + i)}
			}
			runner := s.runner(b, func(c *round.Config) { c.Reconcile = 15 * time.Second })
			b.ResetTimer()
			b.ReportAllocs()
			for i := range b.N {
				healed.Store(false)
				m := s.plan(b, list...)
				m.Round = fmt.Sprintf("r%d", i)
				began := time.Now()
				first, err := runner.Start(b.Context(), m)
				if err != nil || first.Done != miners {
					b.Fatalf("done %d, %v", first.Done, err)
				}
				b.ReportMetric(float64(miners)/time.Since(began).Seconds(), "jobs/s")
				healed.Store(true)
				began = time.Now()
				second, _, err := runner.Replay(b.Context(), m.Round, outcome.Selection{})
				if err != nil || !second.Complete {
					b.Fatalf("complete %v, %v", second.Complete, err)
				}
				b.ReportMetric(time.Since(began).Seconds(), "replay-s")
				began = time.Now()
				held, err := s.bus.Inventory(b.Context(), m.Round)
				if err != nil || !audit.Of(held).Holds() {
					b.Fatalf("audit: %v, %v", audit.Of(held), err)
				}
				b.ReportMetric(time.Since(began).Seconds(), "audit-s")
				var memory runtime.MemStats
				runtime.ReadMemStats(&memory)
				b.ReportMetric(float64(memory.Sys>>20), "MB")
			}
		})
	}
}
