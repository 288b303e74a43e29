package scorecache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/scorecache"
)

// What was fetched when the job had ended is kept all the same.
func TestAnEndedJobsFetchIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	c.Keep(ctx, key(), *entry())
	if b.look(c, key()) == nil {
		t.Error("it was thrown away")
	}
	if _, err := c.Look(ctx, key()); !errors.Is(err, context.Canceled) {
		t.Errorf("a look with an ended context: got %v, want context.Canceled", err)
	}
}

// A bucket that is gone costs nobody a job: everything is fetched, and one line
// says so.
func TestTroubleIsNoFailure(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	_, js := jobstreamtest.Connect(t, b.servers.NATSURL(), nil)
	b.must(js.DeleteKeyValue(b.ctx, job.BucketScores))
	for range 3 {
		if b.look(c, key()) != nil {
			t.Error("found")
		}
		c.Keep(b.ctx, key(), *entry())
	}
	if n := b.log.Count("cannot be used"); n != 1 {
		t.Errorf("logged %d times, want one line", n)
	}
}

// While the connection is down a look waits: what is there need not be fetched.
func TestALookOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache(func(cfg *scorecache.Config) { cfg.RetryWait = 10 * time.Millisecond })
	c.Keep(b.ctx, key(), *entry())
	b.servers.Stop()
	b.until("the connection is down", func() bool { return !b.nc.IsConnected() })
	var group errgroup.Group
	found := false
	group.Go(func() error {
		looked, err := c.Look(b.ctx, key())
		found = looked.Entry != nil
		return err
	})
	b.until("it waits", func() bool { return b.log.Count("cannot be used") == 1 })
	b.servers.Again()
	b.must(group.Wait())
	if !found {
		t.Error("the look did not wait for the connection")
	}
	b.until("it says so", func() bool { return b.log.Count("can be used again") == 1 })
}
