package jobstreamtest

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// Next fetches until there is a delivery. A server that is away is waited for.
func Next(ctx context.Context, tb testing.TB, bus *jobstream.Bus) *jobstream.Delivery {
	tb.Helper()
	for {
		got, err := bus.Queue.Fetch(ctx, 1, time.Second)
		if err != nil && !jobstream.Away(err) || ctx.Err() != nil {
			tb.Fatalf("no delivery: %v", err)
		}
		if len(got) > 0 {
			return got[0]
		}
	}
}

// Messages is how many jobs the stream holds.
func Messages(ctx context.Context, tb testing.TB, js jetstream.JetStream) uint64 {
	tb.Helper()
	return must.Get(js.Stream(ctx, job.StreamJobs))(tb).CachedInfo().State.Msgs
}

// Record reads a miner's record.
func Record(ctx context.Context, tb testing.TB, bus *jobstream.Bus, round string, uid int) job.Record {
	tb.Helper()
	r, _, err := bus.Records.Load(ctx, round, uid)
	must.Do(tb, err)
	return r
}
