package backup_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// The size that the figures in docs/backup.md are of.
const (
	benchRounds = 100
	benchMiners = 256
)

// BenchmarkHundredRounds backs up 100 rounds of 256 miners by the command itself,
// and restores them, and tells how long each takes, how large the backup is and
// what the command's process takes of memory at most.
func BenchmarkHundredRounds(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), 10*patience)
	defer cancel()
	command := filepath.Join(b.TempDir(), "producer")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", command, "mirrorfleet/producer").CombinedOutput(); err != nil {
		b.Fatalf("building the command: %v\n%s", err, out)
	}
	// Filling the servers is not what is measured: it need not wait for the disk.
	quick := filepath.Join(b.TempDir(), "settings.conf")
	must.Do(b, os.WriteFile(quick, []byte(strings.Replace(string(must.Get(os.ReadFile(settings))(b)), "sync_interval: always", "sync_interval: 1m", 1)), 0o600))
	source := cluster.Start(ctx, b, cluster.Config{Settings: quick, Nodes: 1})
	fill(ctx, b, source.URL(cluster.Producer))
	for b.Loop() {
		dir := filepath.Join(b.TempDir(), fmt.Sprint(time.Now().UnixNano()))
		b.Setenv("MIRRORFLEET_NATS", source.URL(cluster.Producer))
		took, peak := run(ctx, b, command, "backup", dir)
		b.ReportMetric(took.Seconds(), "backup-s")
		b.ReportMetric(peak/1e6, "backup-peak-MB")
		var size int64
		for _, file := range must.Get(os.ReadDir(dir))(b) {
			size += must.Get(file.Info())(b).Size()
		}
		b.ReportMetric(float64(size)/1e6, "backup-MB")
		target := cluster.Start(ctx, b, cluster.Config{Settings: settings, Nodes: 1})
		b.Setenv("MIRRORFLEET_NATS", target.URL(cluster.Producer))
		took, peak = run(ctx, b, command, "restore", dir)
		b.ReportMetric(took.Seconds(), "restore-s")
		b.ReportMetric(peak/1e6, "restore-peak-MB")
		target.Kill(0)
	}
}

// run runs the command and tells how long it took, and its peak of memory.
func run(ctx context.Context, b *testing.B, command string, args ...string) (time.Duration, float64) {
	b.Helper()
	cmd := exec.CommandContext(ctx, command, args...)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("producer %s: %v\n%s", args[0], err, out)
	}
	return time.Since(began), float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) * 1024
}

// fill stores what concluded rounds leave: of each miner a record and an evaluation
// of 8 to 20 kB that does not compress further, of each round a manifest and an
// outcome of 1 MB.
func fill(ctx context.Context, b *testing.B, address string) {
	b.Helper()
	nc := must.Get(jobstream.Connect(ctx, address, "fill", jobstream.ConnectConfig{Log: jobstreamtest.Quiet()}))(b)
	defer nc.Close()
	bus := must.Get(jobstream.Open(ctx, nc, jobstream.Config{Log: jobstreamtest.Quiet()}))(b)
	js := must.Get(jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1000)))(b)
	put := func(bucket, key string, size int) {
		data := make([]byte, size)
		_, _ = rand.Read(data) // it never fails
		must.Get(js.PublishMsgAsync(&nats.Msg{Subject: "$KV." + bucket + "." + key, Data: data}))(b)
	}
	for n := range benchRounds {
		name := fmt.Sprintf("r-%d", n)
		must.Do(b, bus.Rounds.CreateManifest(ctx, manifest(name, benchMiners)))
		put(job.BucketRounds, job.OutcomeKey(name, 1), 1_000_000)
		for uid := 1; uid <= benchMiners; uid++ {
			put(job.BucketRecords, job.RecordKey(name, uid), 500)
			size := 8_000 + must.Get(rand.Int(rand.Reader, big.NewInt(12_000)))(b).Int64()
			put(job.BucketEvaluation, job.EvaluationKey(name, uid, "claim"), int(size))
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		b.Fatal("the servers were not filled in time")
	}
}
