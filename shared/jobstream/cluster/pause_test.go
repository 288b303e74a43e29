package cluster_test

import (
	"errors"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/must"
)

// TestAPauseOutlivesTheLossOfAnyNode: the pause of a round is kept by every copy of the
// consumer, whoever leads it.
func TestAPauseOutlivesTheLossOfAnyNode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bus, worker := b.open(b.nc, 3), b.as(jobstream.RoleWorker)
	must.Do(t, bus.Queue.Publish(b.ctx, job.Job{Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: asOf}))
	stop := job.RoundStop{Round: "r1", Stop: job.Stop{By: "ann", At: asOf}}
	steer, _, err := bus.Steering.Change(b.ctx, func(s job.Steer) (job.Steer, bool) { return s.PauseRound(stop) })
	must.Do(t, err)
	must.Do(t, bus.Steering.Follow(b.ctx, steer))
	b.until("it is paused", func() bool { return must.Get(bus.Queue.HandOut(b.ctx, "r1"))(t).Held })
	for _, n := range b.leaderFirst() {
		b.cluster.Kill(n)
		if out := must.Get(bus.Queue.HandOut(b.ctx, "r1"))(t); !out.Held {
			t.Errorf("without node %d: %+v, want it paused", n, out)
		}
		got, err := worker.Queue.Fetch(b.ctx, 1, time.Second)
		if len(got) > 0 || err != nil && !jobstream.Away(err) {
			t.Errorf("without node %d: %d jobs were handed out, %v", n, len(got), err)
		}
		b.must(b.cluster.Restart(n))
		b.must(b.cluster.Healthy(b.ctx))
	}
	must.Do(t, bus.Steering.Follow(b.ctx, job.Steer{}))
	b.until("the job is handed out, for the first time", func() bool {
		got, err := worker.Queue.Fetch(b.ctx, 1, time.Second)
		return err == nil && len(got) == 1 && got[0].Number() == 1
	})
}

// TestWhoMayOrder: with the shipped settings a producer's credentials order, and a viewer's
// are refused, in words that say so. Both ask as the commands do, which look at the streams
// and declare none.
func TestWhoMayOrder(t *testing.T) {
	t.Parallel()
	b := alone(t)
	b.open(b.nc, 1)
	stop := job.RoundStop{Round: "r1", Stop: job.Stop{By: "ann", At: asOf}}
	for _, user := range []string{cluster.Viewer, cluster.Producer} {
		nc, may := b.connect(user), user == cluster.Producer
		bus := must.Get(jobstream.Open(b.ctx, nc, jobstream.Config{Role: jobstream.RoleViewer, Timeout: time.Second}))(t)
		steer, changed, err := bus.Steering.Change(b.ctx, func(s job.Steer) (job.Steer, bool) { return s.PauseRound(stop) })
		if (err == nil && changed) != may || !may && !errors.Is(err, jobstream.ErrMayNotOrder) {
			t.Errorf("a %s orders: changed %v, %v; want it to: %v", user, changed, err, may)
		}
		if may {
			must.Do(t, bus.Steering.Follow(b.ctx, steer))
		}
	}
	if out := must.Get(b.as(jobstream.RoleViewer).Queue.HandOut(b.ctx, "r1"))(t); !out.Held {
		t.Errorf("a viewer sees %+v, want it paused", out)
	}
}
