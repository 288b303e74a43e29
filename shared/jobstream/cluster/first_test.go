package cluster_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// BenchmarkFirstStart starts three servers on empty disks, a producer that declares the streams,
// and four workers, all at once. It reports how long after the producer the last worker has
// found the streams, and how long the producer took.
func BenchmarkFirstStart(b *testing.B) {
	var after, declared time.Duration
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		c := cluster.Start(ctx, b, cluster.Config{Settings: settings})
		var done time.Time
		var ends [4]time.Time
		var all sync.WaitGroup
		began := time.Now()
		open := func(user string, replicas int, end *time.Time) {
			nc, _ := jobstreamtest.Connect(b, c.URL(user), nil) //nolint:contextcheck // it lasts as long as the benchmark
			defer nc.Close()
			must.Get(jobstream.Open(ctx, nc, jobstream.Config{Role: jobstream.Role(user), Replicas: replicas, Log: jobstreamtest.Quiet()}))(b)
			*end = time.Now()
		}
		all.Go(func() { open(cluster.Producer, 3, &done) })
		for i := range ends {
			all.Go(func() { open(cluster.Worker, 0, &ends[i]) })
		}
		all.Wait()
		last := ends[0]
		for _, end := range ends {
			if end.After(last) {
				last = end
			}
		}
		b.Logf("producer %.2f s, last worker %.2f s later", done.Sub(began).Seconds(), last.Sub(done).Seconds())
		after += last.Sub(done)
		declared += done.Sub(began)
		for i := range 3 {
			c.Kill(i)
		}
		cancel()
	}
	b.ReportMetric(after.Seconds()/float64(b.N), "s/worker")
	b.ReportMetric(declared.Seconds()/float64(b.N), "s/producer")
}
