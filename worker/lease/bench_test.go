package lease_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/worker/lease"
)

// slotsOfBench is how many jobs run at once, of ours and of asynq's.
const slotsOfBench = 64

// BenchmarkNoop is what a job costs apart from its work: pull, claim,
// evaluation stored, record done under the fence, double ack. One process with
// 64 slots against a nats-server process with files on disk. An iteration is
// one job, from a full queue to an empty one.
//
// "interval" has the server's own sync interval: as redis-server does by
// default, it leaves the writing to the operating system. "always" is what
// deploy/nats ships.
func BenchmarkNoop(b *testing.B) {
	b.Run("interval", func(b *testing.B) { benchNoop(b, "2m") })
	b.Run("always", func(b *testing.B) { benchNoop(b, "") })
}

func benchNoop(b *testing.B, sync string) {
	b.Helper()
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	server, err := cluster.Start(ctx, cluster.Config{
		Dir: b.TempDir(), Nodes: 1, SyncInterval: sync, Settings: filepath.Join("..", "..", "deploy", "nats", "settings.conf"),
	})
	must(err)
	defer server.Close()
	quiet := slog.New(slog.DiscardHandler)
	nc, err := jobstream.Connect(ctx, server.URL(cluster.Producer), "bench", jobstream.ConnectConfig{Log: quiet})
	must(err)
	defer nc.Close()
	bus, err := jobstream.Open(ctx, nc, jobstream.Config{AckWait: time.Minute, Log: quiet})
	must(err)
	fill(b, bus)
	js, err := jetstream.New(nc)
	must(err)
	handled := make(chan struct{}, b.N)
	r, err := lease.New(lease.Config{
		Worker: "bench", Bus: bus, Slots: slotsOfBench, Log: quiet,
		Handler: func(context.Context, job.Job, lease.Attempt) (job.Evaluation, error) {
			handled <- struct{}{}
			return job.Evaluation{}, nil
		},
	})
	must(err)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	b.ResetTimer()
	go func() { ended <- r.Run(running) }()
	for range b.N {
		<-handled
	}
	for left := uint64(1); left > 0; { // the last ones are still to be committed and acknowledged
		s, err := js.Stream(ctx, job.StreamJobs)
		must(err)
		left = s.CachedInfo().State.Msgs
	}
	b.StopTimer()
	stop()
	must(<-ended)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// fill plans and publishes b.N jobs, many at a time.
func fill(b *testing.B, bus *jobstream.Bus) {
	b.Helper()
	var filling sync.WaitGroup
	const at = 32
	for first := range at {
		filling.Go(func() {
			for uid := first; uid < b.N; uid += at {
				j := aJob(uid)
				_, err := bus.PlanRecord(b.Context(), job.Plan("r1", uid, ""))
				if err == nil {
					err = bus.PublishJob(b.Context(), j)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	filling.Wait()
}

// BenchmarkAsynq is hibiken/asynq on the same machine, in the shape of its own
// end-to-end benchmark: tasks that do nothing, enqueued before the clock
// starts, until each has been handled, against a redis-server process. It has
// neither claims nor fences; its tasks are acknowledged once.
//
// "own" has its benchmark's ten workers and redis-server's defaults, "slots" as
// many as BenchmarkNoop; "slots-always" has redis-server write each command to
// the disk, as NATS does with sync_interval: always.
func BenchmarkAsynq(b *testing.B) {
	b.Run("own", func(b *testing.B) { benchAsynq(b, 10) })
	b.Run("slots", func(b *testing.B) { benchAsynq(b, slotsOfBench) })
	b.Run("slots-always", func(b *testing.B) { benchAsynq(b, slotsOfBench, "--appendonly", "yes", "--appendfsync", "always") })
}

func benchAsynq(b *testing.B, concurrency int, args ...string) {
	b.Helper()
	redis := asynq.RedisClientOpt{Addr: redisServer(b, args...)}
	client := asynq.NewClient(redis)
	for n := range b.N {
		if _, err := client.Enqueue(asynq.NewTask(fmt.Sprintf("task%d", n), fmt.Appendf(nil, `{"data":%d}`, n))); err != nil {
			b.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		b.Fatal(err)
	}
	srv := asynq.NewServer(redis, asynq.Config{Concurrency: concurrency, LogLevel: asynq.FatalLevel})
	var handled sync.WaitGroup
	handled.Add(b.N)
	b.ResetTimer()
	if err := srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { handled.Done(); return nil })); err != nil {
		b.Fatal(err)
	}
	handled.Wait()
	b.StopTimer()
	srv.Shutdown()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// redisServer runs a redis-server until the benchmark ends.
func redisServer(b *testing.B, args ...string) (address string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command("redis-server", append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", b.TempDir()}, args...)...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return address
		}
	}
	b.Fatal("redis-server is not ready")
	return ""
}
