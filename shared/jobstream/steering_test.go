package jobstream_test

import (
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// order changes the orders, and follows them, as a command does.
func (b *bundle) order(change func(job.Steer) (job.Steer, bool)) {
	b.t.Helper()
	steer, changed, err := b.bus.Steering.Change(b.ctx, change)
	if err != nil || !changed {
		b.t.Fatalf("the order: changed %v, %v", changed, err)
	}
	must.Do(b.t, b.bus.Steering.Follow(b.ctx, steer))
}

func paused(round string) func(job.Steer) (job.Steer, bool) {
	return func(s job.Steer) (job.Steer, bool) {
		return s.PauseRound(job.RoundStop{Round: round, Stop: job.Stop{By: "ann", At: asOf}})
	}
}

func resumed(s job.Steer) (job.Steer, bool) { return s.ResumeRound("r1") }

// While a round is paused nothing is handed out, to requests of any kind. A job that a worker
// has stays its own for as long as it shows signs of life, and one that is handed back
// waits. Afterwards all of them come at once, and the pause has cost no delivery, whatever
// number of requests has gone unanswered.
func TestAPausedRoundKeepsItsJobs(t *testing.T) {
	t.Parallel()
	const lease = 300 * time.Millisecond
	b := setup(t, jobstream.Config{AckWait: lease})
	b.publish(aJob(1), aJob(2), aJob(3))
	mine, back := b.next(), b.next()
	b.order(paused("r1"))
	must.Do(t, back.Nak(b.ctx, time.Millisecond))
	if got := must.Get(b.bus.Queue.HandOut(b.ctx, "r1"))(t); !got.Held || got.Idle || got.Withheld == "" {
		t.Errorf("the hand-out while it is paused: %+v", got)
	}
	for began := time.Now(); time.Since(began) < 5*lease; {
		must.Do(t, mine.InProgress(b.ctx))
		if got := must.Get(b.bus.Queue.Fetch(b.ctx, 2, lease/3))(t); len(got) > 0 {
			t.Fatalf("%s was handed out while the round is paused", got[0].Subject())
		}
	}
	must.Do(t, mine.Ack(b.ctx))
	b.order(resumed)
	want := map[string]uint64{back.Subject(): 2, "miner.job.r1.3": 1}
	for range 2 {
		d := b.next()
		if d.Number() != want[d.Subject()] {
			t.Errorf("%s: delivery %d, want %d", d.Subject(), d.Number(), want[d.Subject()])
		}
		must.Do(t, d.Ack(b.ctx))
	}
	if n := b.messages(); n != 0 {
		t.Errorf("%d messages are left, want none", n)
	}
}

// A pause outlives the server, producers that start, with other settings too, a consumer that
// is gone, and a local fleet that serves its round alone.
func TestAPauseStays(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	held := func(when string) {
		t.Helper()
		if got, err := b.bus.Queue.HandOut(b.ctx, "r1"); err != nil || !got.Held {
			t.Errorf("%s: %+v, %v; want it paused", when, got, err)
		}
	}
	b.order(paused("r1"))
	b.servers.Stop()
	b.servers.Again()
	held("the server was started anew")
	other, _ := jobstreamtest.Open(t, b.servers.NATSURL(), jobstream.Config{AckWait: time.Minute, MaxDeliver: 5})
	held("a producer has started")
	must.Do(t, b.bus.Queue.ServeOnly(b.ctx, "r1"))
	held("the round is served alone")
	must.Do(t, b.js.DeleteConsumer(b.ctx, job.StreamJobs, job.Consumer))
	must.Do(t, other.Restore(b.ctx))
	steer, _, err := other.Steering.Load(b.ctx)
	must.Do(t, err)
	must.Do(t, other.Steering.Follow(b.ctx, steer))
	held("the consumer was gone")
	if steer.Round == nil || steer.Round.By != "ann" {
		t.Errorf("the orders are %+v", steer)
	}
}

// What somebody has paused with the tools of NATS stays as it is: it is not ours.
func TestAPauseThatIsNotOursStays(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	must.Get(b.js.PauseConsumer(b.ctx, job.StreamJobs, job.Consumer, time.Now().Add(time.Hour)))(t)
	must.Do(t, b.bus.Steering.Follow(b.ctx, job.Steer{}))
	got := must.Get(b.bus.Queue.HandOut(b.ctx, "r1"))(t)
	if got.Held || got.Withheld != "consumer workers is paused" {
		t.Errorf("the hand-out is %+v, want it paused, and not by us", got)
	}
	if in := must.Get(jobstream.Inspect(b.ctx, b.nc, jobstream.Config{}))(t); !in.Consumer.Paused || in.Consumer.Held {
		t.Errorf("the consumer is seen as %+v", in.Consumer)
	}
}

// Orders that are gone or unreadable are restored from what a producer has read of them, and
// count as none where nobody has.
func TestOrdersAreRestored(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	orders := jobstream.Orders{Steering: b.bus.Steering}
	if steer, restored, err := orders.Read(b.ctx); err != nil || restored || steer != (job.Steer{}) {
		t.Errorf("without any: %+v, %v, %v", steer, restored, err)
	}
	b.order(paused("r1"))
	if steer, restored, err := orders.Read(b.ctx); err != nil || restored || steer.Round == nil {
		t.Errorf("with a pause: %+v, %v, %v", steer, restored, err)
	}
	for name, spoil := range map[string]func(){
		"gone":       func() { jobstreamtest.Remove(t, b.js, job.BucketRounds, job.SteerKey) },
		"unreadable": func() { b.spoil(job.SteerKey, "{") },
	} {
		spoil()
		steer, restored, err := orders.Read(b.ctx)
		if err != nil || !restored || steer.Round == nil || steer.Round.By != "ann" {
			t.Errorf("%s: %+v, %v, %v; want the pause restored", name, steer, restored, err)
		}
		if stored, _, err := b.bus.Steering.Load(b.ctx); err != nil || stored.Round == nil {
			t.Errorf("%s: stored is %+v, %v", name, stored, err)
		}
	}
	b.spoil(job.SteerKey, "{")
	fresh := jobstream.Orders{Steering: b.bus.Steering}
	if steer, restored, err := fresh.Read(b.ctx); err != nil || !restored || steer.Round != nil {
		t.Errorf("read by nobody: %+v, %v, %v", steer, restored, err)
	}
}
