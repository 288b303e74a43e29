package round_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/lease"
)

// stall evaluates the jobs of the given miners only when open is closed, whatever becomes
// of their leases. late counts those that it then lets through.
type stall struct {
	uids []int
	on   atomic.Bool
	open chan struct{}
	late atomic.Int64
	// begun gets the uid of each job that is held up.
	begun chan int
}

func stalling(uids ...int) *stall {
	return &stall{uids: uids, open: make(chan struct{}), begun: make(chan int, 16)}
}

func (s *stall) handler(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
	if s.on.Load() && slices.Contains(s.uids, j.UID) {
		s.begun <- j.UID
		<-s.open // it does not heed the end of its lease
		s.late.Add(1)
	}
	return evaluated(j, float64(10*j.UID)), nil
}

// order stores an order to cancel.
func (b *bundle) order(t *testing.T, name string, o job.CancelOrder) round.Cancelled {
	t.Helper()
	o.By, o.At = "an operator", time.Now().UTC()
	return must.Get(round.OrderCancel(deadline(t), b.bus, name, o))(t)
}

// start runs a round, and returns how it ends.
func (b *bundle) start(t *testing.T, m job.Manifest, changes ...func(*round.Config)) func() outcome.Result {
	t.Helper()
	ctx, runner := deadline(t), b.runner(t, changes...)
	ends := make(chan end, 1)
	go func() {
		result, err := runner.Start(ctx, m)
		ends <- end{result, err}
	}()
	return func() outcome.Result {
		t.Helper()
		got := <-ends
		must.Do(t, got.err)
		return got.result
	}
}

// A round that is cancelled ends at once with what there is: what is outstanding is dead as
// cancelled and takes the fallback, whoever has it commits nothing any more, every job is
// accounted for, and a replay heals it.
func TestACancelledRoundIsConcludedWithWhatThereIs(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Second}) // a late worker's message comes again after it
	s := stalling(2)
	b.work(t, s.handler)
	ctx := deadline(t)
	good := b.start(t, b.plan(t, four()...))()

	s.on.Store(true)
	m := later(b.plan(t, four()...), "cancelled")
	end := b.start(t, m)
	<-s.begun
	must.Until(ctx, t, "miner 1 is done", func() bool { return b.doneJobs(ctx, t, m.Round)[1].UID == 1 })
	c := b.order(t, m.Round, job.CancelOrder{Reason: "the wrong registry"})
	if diff := cmp.Diff([]int{2}, c.UIDs); diff != "" || len(c.Already) != 0 {
		t.Errorf("ordered (-want +got):\n%s; already %v, want none", diff, c.Already)
	}
	must.Do(t, b.runner(t).FollowCancel(ctx, c))
	got := end()
	if got.Complete || got.Cancelled != 1 || got.Failed != 1 || got.Done != 1 || got.Revision != 1 || len(got.CancelOrders) != 1 {
		t.Errorf("complete %v, %d cancelled, %d failed, %d done, orders %v; want one done, one cancelled and the order",
			got.Complete, got.Cancelled, got.Failed, got.Done, got.CancelOrders)
	}
	for _, letter := range got.DeadLetters {
		if want := "cancelled by an operator at "; letter.Class != job.Cancelled || !strings.HasPrefix(letter.Error, want) ||
			!strings.Contains(letter.Error, ": the wrong registry; it was running") {
			t.Errorf("dead letter of miner %d: class %s, %q; want who cancelled it and why", letter.UID, letter.Class, letter.Error)
		}
	}
	if diff := cmp.Diff([]int{2}, got.Outcome.FromStored); diff != "" {
		t.Errorf("who goes on with stored evaluations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(good.Outcome.Rewards, got.Outcome.Rewards, near()); diff != "" {
		t.Errorf("rewards differ from those of the round before (-want +got):\n%s", diff)
	}
	b.failedJobs(t, m.Round, 1)

	close(s.open)
	must.Until(deadline(t), t, "the late workers have ended and their messages are gone", func() bool {
		queued, err := b.bus.Queue.Messages(ctx, m.Round)
		must.Do(t, err)
		return len(queued) == 0
	})
	if s.late.Load() == 0 {
		t.Error("no worker was late: this test does not see what one does")
	}
	b.failedJobs(t, m.Round, 1)

	s.on.Store(false)
	healed, did, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{Class: job.Cancelled})
	must.Do(t, err)
	if !healed.Complete || healed.Cancelled != 0 || len(healed.CancelOrders) != 0 || !slices.Equal(did.UIDs, []int{2}) {
		t.Errorf("after a replay of %v: complete %v, %d cancelled, orders %v; want it healed, and no order of the round in force",
			did.UIDs, healed.Complete, healed.Cancelled, healed.CancelOrders)
	}
	b.holds(t, m.Round)
}

// One miner is cancelled: the round goes on with the others, and concludes when they have
// ended. A second order for others is added, and the same one given again changes nothing.
func TestSomeMinersAreCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	s := stalling(0, 1, 2)
	s.on.Store(true)
	b.work(t, s.handler, func(cfg *lease.Config) { cfg.Slots = 3 })
	ctx, m := deadline(t), b.plan(t, four()...)
	end := b.start(t, m)
	for range 2 {
		<-s.begun
	}
	one := b.order(t, m.Round, job.CancelOrder{UIDs: []int{2}})
	must.Do(t, b.runner(t).FollowCancel(ctx, one))
	record, _, err := b.bus.Records.Load(ctx, m.Round, 2)
	if err != nil || record.Phase != job.Failed || record.Failure.Class != job.Cancelled {
		t.Fatalf("miner 2 is %s, %+v, %v; want it cancelled when the order is followed", record.Phase, record.Failure, err)
	}
	if last, err := outcome.Latest(ctx, b.bus, m.Round); err != nil || last.Revision != 0 {
		t.Errorf("revision %d, %v; want the round to go on", last.Revision, err)
	}
	again := b.order(t, m.Round, job.CancelOrder{UIDs: []int{2}})
	if len(again.UIDs) != 0 || !slices.Equal(again.Already, []int{2}) {
		t.Errorf("the same order again: %v, already %v; want nothing new", again.UIDs, again.Already)
	}
	must.Do(t, b.runner(t).FollowCancel(ctx, again))
	close(s.open)
	got := end()
	if got.Cancelled != 1 || got.Failed != 1 || got.Done != 1 || len(got.CancelOrders) != 1 {
		t.Errorf("%d cancelled, %d failed, %d done, orders %v; want one of each, and one order",
			got.Cancelled, got.Failed, got.Done, got.CancelOrders)
	}
	b.failedJobs(t, m.Round, 1)
}

// Orders that are given at once are all kept, and each caller sees its own carried out.
func TestTwoCancelAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	s := stalling(0, 1, 2, 3)
	s.on.Store(true)
	b.work(t, s.handler)
	ctx, m := deadline(t), b.plan(t, four()...)
	end := b.start(t, m)
	for range 2 {
		<-s.begun
	}
	defer close(s.open)
	orders := []job.CancelOrder{{UIDs: []int{1}}, {UIDs: []int{1, 2}}, {}, {}}
	ends := make(chan error, len(orders))
	for _, o := range orders {
		go func() {
			o.By = "an operator"
			c, err := round.OrderCancel(ctx, b.bus, m.Round, o)
			if errors.Is(err, round.ErrCancel) { // the others were faster than this one's look
				err = nil
			} else if err == nil {
				err = b.runner(t).FollowCancel(ctx, c)
			}
			ends <- err
		}()
	}
	for range orders {
		must.Check(t, <-ends)
	}
	if got := end(); got.Cancelled != 2 || got.Revision != 1 {
		t.Errorf("%d cancelled, revision %d; want both, once", got.Cancelled, got.Revision)
	}
	b.failedJobs(t, m.Round, 2)
}

// What has ended cannot be cancelled, and the refusal says how it ended and what is left.
func TestACancelIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	b.queue(t, m)
	end := func(uid int, change func(*job.Record)) {
		record, revision, err := b.bus.Records.Load(t.Context(), m.Round, uid)
		must.Do(t, err)
		change(&record)
		must.Get(b.bus.Records.Update(t.Context(), record, revision))(t)
	}
	end(1, func(r *job.Record) { r.Phase, r.Failure = job.Failed, &job.Failure{Class: job.Poison} })
	refused := func(name string, want string, uids ...int) {
		t.Helper()
		_, err := round.OrderCancel(t.Context(), b.bus, name, job.CancelOrder{UIDs: uids})
		if !errors.Is(err, round.ErrCancel) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want a refusal with %q", uids, err, want)
		}
	}
	refused(m.Round, "miner 7 has no job in the round; outstanding: 2", 7)
	refused(m.Round, "miner 3 has no job in the round", 3) // a rule fails it
	refused(m.Round, "the job of miner 1 is dead already (poison); outstanding: 2", 2, 1)
	if stored, err := b.bus.Rounds.Cancel(t.Context(), m.Round, 0); err != nil || len(stored.Orders) != 0 {
		t.Errorf("%v, %v is stored, want nothing of what is refused", stored, err)
	}
	end(2, func(r *job.Record) { r.Phase, r.Evaluation = job.Done, job.EvaluationKey(m.Round, 2, "c") })
	refused(m.Round, "the job of miner 2 is done already; no job is outstanding", 2)
	if _, err := round.OrderCancel(t.Context(), b.bus, "r9", job.CancelOrder{}); !errors.Is(err, jobstream.ErrNotFound) {
		t.Errorf("%v, want that there is no such round", err)
	}

	over := later(b.plan(t, four()...), "over")
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), over))
	must.Do(t, b.runner(t).FollowCancel(deadline(t), b.order(t, over.Round, job.CancelOrder{Reason: "a trial"})))
	refused(over.Round, "round over is concluded, with revision 1, because it was cancelled by an operator at")
	refused(over.Round, ": a trial", 1)
}

// Nobody runs the round: the command does what its order says, without a worker. Of a round
// of which only some miners are cancelled, the others wait for whoever resumes it.
func TestACancelNeedsNoProducer(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), m))
	must.Do(t, b.runner(t).FollowCancel(deadline(t), b.order(t, m.Round, job.CancelOrder{UIDs: []int{1}})))
	record, _, err := b.bus.Records.Load(t.Context(), m.Round, 1)
	last, lastErr := outcome.Latest(t.Context(), b.bus, m.Round)
	if err != nil || lastErr != nil || record.Phase != job.Failed || record.Failure.Class != job.Cancelled || last.Revision != 0 {
		t.Errorf("miner 1 is %s, %v, revision %d, %v; want it cancelled, and no outcome", record.Phase, err, last.Revision, lastErr)
	}
	b.work(t, always)
	got, err := b.runner(t).Resume(deadline(t), m.Round)
	if err != nil || got.Cancelled != 1 || got.Done != 1 || len(got.Mended) != 0 {
		t.Errorf("%v: %d cancelled, %d done, mended %v; want miner 2 done and nothing to mend", err, got.Cancelled, got.Done, got.Mended)
	}
	b.failedJobs(t, m.Round, 1)

	whole := later(b.plan(t, four()...), "whole")
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), whole))
	must.Do(t, b.runner(t).FollowCancel(deadline(t), b.order(t, whole.Round, job.CancelOrder{})))
	if last, err := outcome.Latest(t.Context(), b.bus, whole.Round); err != nil || last.Cancelled != 2 {
		t.Errorf("%d cancelled, %v; want both, and an outcome", last.Cancelled, err)
	}
	b.failedJobs(t, whole.Round, 2)

	rest := later(b.plan(t, four()...), "rest") // the last outstanding jobs are cancelled by name
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), rest))
	must.Do(t, b.runner(t).FollowCancel(deadline(t), b.order(t, rest.Round, job.CancelOrder{UIDs: []int{1, 2}})))
	if last, err := outcome.Latest(t.Context(), b.bus, rest.Round); err != nil || last.Cancelled != 2 {
		t.Errorf("%d cancelled, %v; want both, and an outcome", last.Cancelled, err)
	}
}
