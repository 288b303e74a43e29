package lease_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/worker/lease"
)

// BenchmarkNoop is what a job costs apart from its work: claim, evaluation,
// commit, double ack, one process with 64 slots, files on disk. The iteration
// begins when all jobs are planned and published.
func BenchmarkNoop(b *testing.B) {
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	servers, err := local.Start(ctx, local.Config{Dir: b.TempDir()})
	must(err)
	defer servers.Close()
	nc, err := jobstream.Connect(ctx, servers.NATSURL(), "bench", jobstream.ConnectConfig{})
	must(err)
	defer nc.Close()
	bus, err := jobstream.Open(ctx, nc, jobstream.Config{AckWait: time.Minute})
	must(err)
	for uid := range b.N {
		_, err := bus.PlanRecord(ctx, job.Plan("r1", uid, ""))
		must(err)
		must(bus.PublishJob(ctx, aJob(uid)))
	}
	done := make(chan struct{}, b.N)
	r, err := lease.New(lease.Config{
		Worker: "bench", Bus: bus, Slots: 64, Log: slog.New(slog.DiscardHandler),
		Handler: func(context.Context, job.Job, lease.Attempt) (job.Evaluation, error) {
			done <- struct{}{}
			return job.Evaluation{}, nil
		},
	})
	must(err)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	b.ResetTimer()
	go func() { ended <- r.Run(running) }()
	for range b.N {
		<-done
	}
	b.StopTimer()
	stop()
	must(<-ended)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}
