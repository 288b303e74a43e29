package kv_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A watch knows the stream that it was opened on: one that was made anew before the
// watch had looked at it for the first time ends it, too.
func TestAWatchKnowsItsStream(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	servers := jobstreamtest.Start(t)
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	_, js := jobstreamtest.Connect(t, servers.NATSURL(), nil)
	name := kv.StreamOf(job.BucketRecords)
	created := must.Get(js.Stream(ctx, name))(t).CachedInfo().Created
	must.Do(t, js.DeleteStream(ctx, name))
	must.Do(t, bus.Restore(ctx))
	bucket := &kv.Bucket{Link: &kv.Link{JS: js, Timeout: 5 * time.Second}, Name: job.BucketRecords}
	if bucket.AwaitSetBack(ctx, created); ctx.Err() != nil {
		t.Error("the watch of the former stream did not end")
	}
}
