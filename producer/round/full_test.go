package round_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/disktest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// TestARoundOutlivesAFullDisk: the disk of a local round fills up in the middle of the
// round. NATS then once confirmed nothing any more, even with room again, and the round
// waited for ever.
func TestARoundOutlivesAFullDisk(t *testing.T) {
	t.Parallel()
	disktest.On(t, 48<<20, func(disk disktest.Disk) {
		const jobs, early = 40, 10
		var log telemetrytest.Log
		b := setupOn(t, jobstreamtest.StartIn(t, disk.Dir), jobstream.Config{
			AckWait: 5 * time.Second, Timeout: 2 * time.Second, Log: log.Logger(),
		})
		m := b.plan(t, many(jobs)...)
		ctx := deadline(t)
		gate := make(chan struct{})
		b.work(t, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
			select {
			case <-gate:
				return evaluated(j, 1), nil
			case <-ctx.Done():
				return job.Evaluation{}, context.Cause(ctx)
			}
		})
		type ending struct {
			outcome.Result
			error
		}
		ended := make(chan ending, 1)
		go func() {
			result, err := b.runner(t).Start(ctx, m)
			ended <- ending{result, err}
		}()

		for range early {
			gate <- struct{}{}
		}
		must.Until(ctx, t, "the first jobs are done", func() bool { return len(b.doneJobs(ctx, t, m.Round)) == early })
		before := b.doneJobs(ctx, t, m.Round)
		disk.Fill(t)
		close(gate) // all other jobs want to commit now
		log.Await(ctx, t, "NATS connection lost")
		if n := len(ended); n != 0 {
			t.Fatalf("it has ended without room: %+v", <-ended)
		}
		disk.Free(t)

		got := must.Receive(ctx, t, ended, "the end of the round")
		if got.error != nil || got.Done != jobs || got.Failed != 0 {
			t.Errorf("done %d, failed %d, %v; want all %d done", got.Done, got.Failed, got.error, jobs)
		}
		b.holds(t, m.Round)
		after := b.doneJobs(ctx, t, m.Round)
		for uid, record := range before {
			if diff := cmp.Diff(record, after[uid]); diff != "" {
				t.Errorf("miner %d was done before the disk was full (-before +after):\n%s", uid, diff)
			}
		}
	})
}

// many are miners with a job each.
func many(n int) []input.Miner {
	miners := make([]input.Miner, n)
	for i := range miners {
		miners[i] = input.Miner{UID: i + 1, Hotkey: fmt.Sprint("h", i+1), GitHubID: fmt.Sprint(1001 + i)}
	}
	return miners
}

// doneJobs are the records of the done jobs, by uid.
func (b *bundle) doneJobs(ctx context.Context, t *testing.T, name string) map[int]job.Record {
	t.Helper()
	done := map[int]job.Record{}
	for _, r := range must.Get(b.bus.Records.List(ctx, name))(t) {
		if r.Phase == job.Done {
			done[r.UID] = r
		}
	}
	return done
}
