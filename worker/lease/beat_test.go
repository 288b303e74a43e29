package lease_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/worker/lease"
)

// TestARunningJobShowsSignsOfLifeOnItsRecord: a producer whose server's clock was
// set back has nothing else to tell a slow worker from a dead one.
func TestARunningJobShowsSignsOfLifeOnItsRecord(t *testing.T) {
	t.Parallel()
	b := setup(t, 3*time.Second)
	b.plan(1)
	release := make(chan struct{})
	b.run(lease.Config{Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
		b.hold(release)
		return job.Evaluation{}, nil
	}})
	alive := b.await(1, "alive for a second time", func(r job.Record) bool { return r.Claim != nil && r.Claim.Beat >= 2 })
	if alive.Phase != job.Running || alive.Claim.For != 3*time.Second {
		t.Errorf("record is %+v by %+v, want it running under a lease of 3s", alive, alive.Claim)
	}
	close(release)
	if r := b.awaitPhase(1, job.Done); r.Deliveries != 1 || r.Unreported != 0 || r.Claim.ID != alive.Claim.ID {
		t.Errorf("record is %+v by %+v, want it done in one go", r, r.Claim)
	}
}

// TestASignOfLifeTellsWhatIsLeft, and why the attempt stands still: whoever follows
// the round has nothing else to tell how long it takes.
func TestASignOfLifeTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Second)
	b.plan(1)
	fail := make(chan struct{})
	stall := &job.Stall{Why: "connection refused", For: 7 * time.Second}
	b.run(lease.Config{Delays: []time.Duration{time.Hour}, Stalled: func() *job.Stall { return stall }, Handler: func(
		ctx context.Context, _ job.Job, a job.Attempt,
	) (job.Evaluation, error) {
		if got := a.Left.Load(); got != -1 {
			t.Errorf("%d requests are left before the list is known, want that it is not known", got)
		}
		a.Left.Store(9)
		a.Expect(ctx, 10)
		if r := b.record(1); r.Expected != 10 || r.Left != 9 {
			t.Errorf("record is %+v, want 10 expected and 9 left", r)
		}
		a.Left.Store(4)
		b.hold(fail)
		a.Left.Store(2)
		return job.Evaluation{}, errMirror
	}})
	r := b.await(1, "told by a sign of life", func(r job.Record) bool { return r.Left == 4 })
	if r.Claim.Stall == nil || *r.Claim.Stall != *stall {
		t.Errorf("stall is %+v, want %+v", r.Claim.Stall, stall)
	}
	close(fail)
	if r = b.await(1, "failed once", func(r job.Record) bool { return r.Failures == 1 }); r.Left != 2 || r.Expected != 0 {
		t.Errorf("record is %+v, want 2 left by the attempt that has ended", r)
	}
}

// TestASignOfLifeNoticesTheFence: while the server confirms the heartbeats of
// whoever sends them, only the record tells that the job is another's. Without it
// the attempt would never end.
func TestASignOfLifeNoticesTheFence(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(b *bundle){
		"another claim": func(b *bundle) { b.steal(1) },
		"taken back": func(b *bundle) {
			b.change(1, func(r job.Record) (job.Record, error) { return r.Lapsed(r.Claim.ID, r.Claim.Beat, asOf) })
		},
		"ended": func(b *bundle) {
			b.change(1, func(r job.Record) (job.Record, error) {
				return r.GivenUp(0, job.Failure{Class: job.Overdue, Error: "late", At: asOf})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 3*time.Second)
			b.plan(1)
			started, lost := make(chan struct{}, 10), make(chan error, 10)
			b.run(lease.Config{Slots: 1, Handler: func(ctx context.Context, _ job.Job, _ job.Attempt) (job.Evaluation, error) {
				started <- struct{}{}
				<-ctx.Done()
				lost <- context.Cause(ctx)
				return job.Evaluation{}, context.Cause(ctx)
			}})
			receive(b, started, "the job's start")
			take(b)
			if err := receive(b, lost, "the end of the attempt"); !errors.Is(err, lease.ErrLeaseLost) {
				t.Errorf("the attempt ended by %v, want ErrLeaseLost", err)
			}
			if got := b.record(1); got.Failures != 0 {
				t.Errorf("record is %+v, want no failure counted", got)
			}
		})
	}
}

// change makes a transition of a job's record as another process does.
func (b *bundle) change(uid int, transition func(job.Record) (job.Record, error)) {
	b.t.Helper()
	for {
		r, revision, err := b.bus.Records.Load(b.ctx, "r1", uid)
		b.must(err)
		r, err = transition(r)
		b.must(err)
		_, err = b.bus.Records.Update(b.ctx, r, revision)
		if !errors.Is(err, jobstream.ErrConflict) { // the claim's own sign of life
			b.must(err)
			return
		}
	}
}

// TestABeatAfterTheLastChangeIsNoLostLease: a beat that comes between the record's
// last change and the word to the server must not end the lease. The message
// would come again only after AckWait, instead of after the delay.
func TestABeatAfterTheLastChangeIsNoLostLease(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	h, err := lease.Claim(b.ctx, b.bus, b.next(), aJob(1))
	b.must(err)
	b.must(h.Beat(b.ctx))
	if got := b.record(1); got.Claim.Beat != 1 {
		t.Errorf("%d signs of life, want 1", got.Claim.Beat)
	}
	b.must(h.Change(b.ctx, func(r job.Record) (job.Record, error) {
		return r.FailedAttempt(r.Claim.ID, job.Spent{Requests: 1}, job.Failure{Class: job.Transient, Error: "502", At: asOf})
	}))
	b.must(h.Beat(b.ctx))
	if got := b.record(1); got.Phase != job.Planned || got.Claim.Beat != 1 {
		t.Errorf("record is %+v by %+v, want it as the failure left it", got, got.Claim)
	}
}

// TestAFailedLookKeepsTheClaim: a change met another revision, and the look at the
// record failed. The claim forgot its record by that, took itself for fenced from then
// on, and the attempt was dropped though the lease was its own.
func TestAFailedLookKeepsTheClaim(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	h, err := lease.Claim(b.ctx, b.bus, b.next(), aJob(1))
	b.must(err)
	records, key := b.bus.Bucket(job.BucketRecords), job.RecordKey("r1", 1)
	claimed, err := records.Get(b.ctx, key)
	b.must(err)
	_, err = records.PutString(b.ctx, key, "{")
	b.must(err)
	if err := h.Beat(b.ctx); !jobstream.Damaged(err) {
		t.Fatalf("a sign of life on a record that cannot be read: %v, want that it is damaged", err)
	}
	_, err = records.Put(b.ctx, key, claimed.Value())
	b.must(err)
	b.must(h.Beat(b.ctx))
}

// TestAFailureSaysHowLongTheJobWaits: who follows the record knows when it should
// have come again.
func TestAFailureSaysHowLongTheJobWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	b.run(lease.Config{Delays: []time.Duration{time.Hour}, Jitter: -1, Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
		return job.Evaluation{}, errMirror
	}})
	r := b.await(1, "failed once", func(r job.Record) bool { return r.Failures == 1 })
	if r.Phase != job.Planned || r.Failure.Delay != time.Hour {
		t.Errorf("record is %+v after %+v, want it planned in an hour", r, r.Failure)
	}
}

// next fetches until there is a delivery.
func (b *bundle) next() *jobstream.Delivery {
	b.t.Helper()
	return jobstreamtest.Next(b.ctx, b.t, b.bus)
}
