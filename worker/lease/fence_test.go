package lease_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/worker/lease"
)

// TestHeartbeatsKeepALongJob over several AckWaits: another worker that asks
// all the while gets nothing.
func TestHeartbeatsKeepALongJob(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	b.plan(1)
	started, release := make(chan struct{}, 10), make(chan struct{})
	b.run(lease.Config{Slots: 1, Handler: func(ctx context.Context, _ job.Job, _ job.Attempt) (job.Evaluation, error) {
		started <- struct{}{}
		select {
		case <-release:
			return job.Evaluation{}, nil
		case <-ctx.Done():
			return job.Evaluation{}, context.Cause(ctx)
		}
	}})
	receive(b, started, "the job's start")
	for begin := time.Now(); time.Since(begin) < 4*time.Second; {
		if got, err := b.bus.Queue.Fetch(b.ctx, 1, 200*time.Millisecond); err != nil || len(got) > 0 {
			t.Fatalf("got %d deliveries, %v, while the job is alive; logged:\n%s", len(got), err, b.log)
		}
	}
	close(release)
	if r := b.awaitPhase(1, job.Done); r.Deliveries != 1 {
		t.Errorf("record is %+v, want one delivery", r)
	}
}

// TestStalledWorkerIsFenced: its heartbeats stay away, another worker does
// the job, and what the stalled one concludes afterwards changes nothing.
func TestStalledWorkerIsFenced(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	stalled, w := b.stalling()
	b.plan(1)
	started := make(chan struct{}, 10)
	lost := make(chan error, 10)
	release := make(chan struct{})
	first := b.run(lease.Config{Worker: "stalled", Bus: stalled, Slots: 1,
		Handler: func(ctx context.Context, _ job.Job, a job.Attempt) (job.Evaluation, error) {
			a.Requests.Add(100)
			started <- struct{}{}
			<-ctx.Done()
			lost <- context.Cause(ctx)
			b.hold(release)
			return job.Evaluation{Requests: 100}, nil // a handler that does not heed its context
		}})
	receive(b, started, "the job's start")
	w.Hold(nettest.Up, nettest.Down)
	if err := receive(b, lost, "the local deadline"); !errors.Is(err, lease.ErrLeaseLost) {
		t.Errorf("the attempt ended by %v, want ErrLeaseLost", err)
	}
	b.run(lease.Config{Worker: "other", Handler: succeed})
	done := b.awaitPhase(1, job.Done)
	b.awaitMessages(0)
	w.Release()
	close(release)
	b.finish(first)
	if got := b.record(1); got.Claim.Worker != "other" || got.Claim.ID != done.Claim.ID || got.Deliveries != 2 || got.Requests != 0 {
		t.Errorf("record is %+v by %+v, want the other's work untouched", got, got.Claim)
	}
	e, err := b.bus.Evaluations.Load(b.ctx, b.record(1).Evaluation)
	b.must(err)
	if e.Worker != "other" {
		t.Errorf("the evaluation is by %s", e.Worker)
	}
	if keys := b.keys(job.BucketEvaluation); len(keys) != 1 {
		t.Errorf("evaluations are %v, want the other's alone", keys)
	}
	b.awaitLog("this worker says no more about the job")
}

func (b *bundle) keys(bucket string) []string {
	b.t.Helper()
	lister, err := b.bus.Bucket(bucket).ListKeys(b.ctx)
	b.must(err)
	var keys []string
	for key := range lister.Keys() {
		keys = append(keys, key)
	}
	return keys
}

// steal gives a running job's record to another claim, as a later delivery
// elsewhere would, without the holder's noticing.
func (b *bundle) steal(uid int) {
	b.t.Helper()
	b.change(uid, func(r job.Record) (job.Record, error) {
		return r.Claimed(job.Claim{ID: "thief", Worker: "elsewhere", Since: asOf, Sequence: r.Claim.Sequence, Delivery: 50})
	})
}

// TestFencedOutcomesChangeNothing: however an attempt ends whose record is
// held by another, it neither changes the record nor settles the message: the
// compare-and-set holds also where clocks and deadlines did not.
func TestFencedOutcomesChangeNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]error{
		"success": nil, "failure": errMirror, "permanent": job.WithClass(job.Permanent, errMirror),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, never)
			b.plan(1)
			started, release := make(chan struct{}), make(chan struct{})
			w := b.run(lease.Config{Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
				close(started) // a second delivery would panic here
				b.hold(release)
				return job.Evaluation{}, end
			}})
			receive(b, started, "the job's start")
			b.steal(1)
			close(release)
			b.awaitLog("this worker says no more about the job")
			b.finish(w)
			if got := b.record(1); got.Phase != job.Running || got.Claim.ID != "thief" || got.Failures != 0 {
				t.Errorf("record is %+v, want it the other's", got)
			}
			if info := b.consumer(); b.messages() != 1 || info.NumAckPending != 1 || info.NumRedelivered != 0 {
				t.Errorf("%d messages, %d pending, %d redelivered, want the one untouched",
					b.messages(), info.NumAckPending, info.NumRedelivered)
			}
		})
	}
}

// TestExpectNoticesTheFence before the requests are made.
func TestExpectNoticesTheFence(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	ended := make(chan error, 1)
	b.run(lease.Config{Handler: func(ctx context.Context, _ job.Job, a job.Attempt) (job.Evaluation, error) {
		b.steal(1)
		a.Expect(ctx, 10)
		ended <- context.Cause(ctx)
		return job.Evaluation{}, context.Cause(ctx)
	}})
	if err := receive(b, ended, "the attempt's end"); !errors.Is(err, lease.ErrLeaseLost) {
		t.Errorf("the attempt ended by %v, want ErrLeaseLost", err)
	}
}

// TestStaleDeliveryIsNotClaimed: a hand-out that is not later than the claim
// on record leaves record and message alone.
func TestStaleDeliveryIsNotClaimed(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	r, err := job.Plan("r1", 1, "").Claimed(job.Claim{ID: "holder", Worker: "elsewhere", Since: asOf, Sequence: 1, Delivery: 2})
	b.must(err)
	_, err = b.bus.Records.Plan(b.ctx, r)
	b.must(err)
	b.must(b.bus.Queue.Publish(b.ctx, aJob(1))) // message 1, to be delivery 1
	w := b.run(lease.Config{Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
		t.Error("handled")
		return job.Evaluation{}, nil
	}})
	b.awaitLog("not claimed: this worker says no more about the job")
	b.finish(w)
	if got := b.record(1); got.Claim.ID != "holder" || b.consumer().NumAckPending != 1 {
		t.Errorf("record is %+v, %d pending, want both as they were", got, b.consumer().NumAckPending)
	}
}

// TestPublishedAgainWhileRunning: a later message of the same job takes over,
// so that a job whose first message was lost is not stuck behind its claim.
func TestPublishedAgainWhileRunning(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	r, err := job.Plan("r1", 1, "").Claimed(job.Claim{ID: "lost", Worker: "dead", Since: asOf, Sequence: 0, Delivery: 9})
	b.must(err)
	_, err = b.bus.Records.Plan(b.ctx, r)
	b.must(err)
	b.must(b.bus.Queue.Publish(b.ctx, aJob(1)))
	b.run(lease.Config{Handler: succeed})
	b.awaitPhase(1, job.Done)
}

// TestShortOutageIsSurvived: heartbeats that fail for less than the lease are
// made up for, and the job is neither lost nor run twice.
func TestShortOutageIsSurvived(t *testing.T) {
	t.Parallel()
	b := setup(t, 6*time.Second)
	stalled, w := b.stalling()
	b.plan(1)
	started, release := make(chan struct{}, 10), make(chan struct{})
	var ended atomic.Bool
	b.run(lease.Config{Bus: stalled, Slots: 1, Handler: func(ctx context.Context, _ job.Job, _ job.Attempt) (job.Evaluation, error) {
		started <- struct{}{}
		b.hold(release)
		ended.Store(ctx.Err() != nil)
		return job.Evaluation{}, nil
	}})
	receive(b, started, "the job's start")
	w.Hold(nettest.Up)
	b.awaitLog("heartbeat not confirmed")
	w.Release()
	close(release)
	if r := b.awaitPhase(1, job.Done); r.Deliveries != 1 || ended.Load() {
		t.Errorf("record is %+v, context ended %t, want one delivery in one go", r, ended.Load())
	}
}

// TestServerRestartsUnderAJob: the job goes on and is committed when the
// server is back within the lease.
func TestServerRestartsUnderAJob(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1, 2)
	started, release := make(chan struct{}, 10), make(chan struct{})
	b.run(lease.Config{Slots: 1, Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
		started <- struct{}{}
		b.hold(release)
		return job.Evaluation{}, nil
	}})
	receive(b, started, "the job's start")
	b.servers.Stop()
	b.awaitLog("NATS connection lost")
	close(release)
	b.awaitLog("NATS does not answer")
	b.servers.Again()
	for uid := 1; uid <= 2; uid++ {
		if r := b.awaitPhase(uid, job.Done); r.Deliveries != 1 || r.Failures != 0 {
			t.Errorf("record is %+v, want one delivery, no failure", r)
		}
	}
	b.awaitMessages(0)
}

// TestConsumerDeleted: somebody deletes the consumer under a worker. To a pull it is as
// silent as a server that is away; the worker declares it again and goes on.
func TestConsumerDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.run(lease.Config{Handler: succeed})
	b.must(b.js.DeleteConsumer(b.ctx, job.StreamJobs, job.Consumer))
	b.plan(1)
	b.awaitPhase(1, job.Done)
	b.awaitMessages(0)
}
