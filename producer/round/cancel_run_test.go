package round_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// A replay that is cancelled leaves what there was: the degraded evaluation counts, what a
// dead job had left counts, and no figure is another than before. The order says nothing
// about the next replay.
func TestACancelledReplayLeavesWhatThereWas(t *testing.T) {
	t.Parallel()
	for name, opened := range map[string]bool{"under way": true, "planned": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			p, m, first := failing(t, b)
			must.Do(t, b.bus.Rounds.CreateReplay(t.Context(), job.Replay{Round: m.Round, Number: 1, UIDs: []int{1, 2}}))
			if opened {
				record, revision, err := b.bus.Records.Load(t.Context(), m.Round, 2)
				must.Do(t, err)
				must.Get(b.bus.Records.Update(t.Context(), must.Get(record.Replanned(1, "t"))(t), revision))(t)
			}
			c := b.order(t, m.Round, job.CancelOrder{})
			if diff := cmp.Diff([]int{1, 2}, c.UIDs); diff != "" || c.Replay != 1 {
				t.Errorf("of replay %d, ordered (-want +got):\n%s", c.Replay, diff)
			}
			must.Do(t, b.runner(t).FollowCancel(deadline(t), c))
			got, err := outcome.Latest(t.Context(), b.bus, m.Round)
			must.Do(t, err)
			if got.Revision != 2 || got.Cancelled != 2 || bytesOf(t, got.Outcome) != bytesOf(t, first.Outcome) {
				t.Errorf("revision %d, %d cancelled:\n%s", got.Revision, got.Cancelled, cmp.Diff(bytesOf(t, first.Outcome), bytesOf(t, got.Outcome)))
			}
			b.failedJobs(t, m.Round, 2)

			p.healed.Store(true)
			healed, _, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
			if err != nil || !healed.Complete || healed.Revision != 3 || bytesOf(t, healed.Outcome) != undisturbed(t) {
				t.Errorf("%v: complete %v, revision %d; want the next replay to heal it", err, healed.Complete, healed.Revision)
			}
			b.holds(t, m.Round)
		})
	}
}

// One miner of a replay is cancelled while nobody runs it, before its job was opened again:
// whoever resumes the replay runs the other one.
func TestOneMinerOfAReplayIsCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	p, m, _ := failing(t, b)
	p.healed.Store(true)
	must.Do(t, b.bus.Rounds.CreateReplay(t.Context(), job.Replay{Round: m.Round, Number: 1, UIDs: []int{1, 2}}))
	must.Do(t, b.runner(t).FollowCancel(deadline(t), b.order(t, m.Round, job.CancelOrder{UIDs: []int{2}})))
	got, err := b.runner(t).Resume(deadline(t), m.Round)
	if err != nil || got.Revision != 2 || got.Cancelled != 1 || len(got.Degraded) != 1 || p.times(2) != 1 || p.times(1) != 2 {
		t.Errorf("%v: revision %d, %d cancelled, degraded %v, evaluated %d and %d times; want miner 1 run again, miner 2 as it was",
			err, got.Revision, got.Cancelled, got.Degraded, p.times(1), p.times(2))
	}
	b.failedJobs(t, m.Round, 1)
}

// The producer dies right after the order: one that stands by takes the round over after its
// time and carries the order out, and the command sees it.
func TestAStandbyCarriesTheOrderOut(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), m))
	_, err := b.bus.Holders.Set(t.Context(), m.Round, job.Holder{Name: "dead/1", For: 2 * time.Second, Since: time.Now()}, 0)
	must.Do(t, err)
	c, ctx := b.order(t, m.Round, job.CancelOrder{}), deadline(t)
	short := func(c *round.Config) { c.Takeover = 2 * time.Second }
	ends := make(chan error, 2)
	go func() {
		got, err := b.runner(t, short).Resume(ctx, m.Round)
		if err == nil && got.Cancelled != 2 {
			err = errors.New("the standby's outcome has no cancelled job")
		}
		ends <- err
	}()
	go func() { ends <- b.runner(t, short).FollowCancel(ctx, c) }()
	must.Check(t, <-ends)
	must.Check(t, <-ends)
	if revisions, err := b.bus.Outcomes.Revisions(ctx, m.Round); err != nil || len(revisions) != 1 {
		t.Errorf("revisions %v, %v; want one", revisions, err)
	}
	b.failedJobs(t, m.Round, 2)
}

// A round that is paused is cancelled: it is concluded without a worker, and its pause ends
// with it. The jobs of the next round are handed out at once.
func TestAPausedRoundIsCancelled(t *testing.T) {
	t.Parallel()
	for name, runs := range map[string]bool{"by its producer": true, "by the command": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			ctx, m := deadline(t), b.plan(t, four()...)
			stop := job.RoundStop{Round: m.Round, Stop: job.Stop{By: "ann", At: time.Now().UTC()}}
			steer, _, err := b.bus.Steering.Change(ctx, func(s job.Steer) (job.Steer, bool) { return s.PauseRound(stop) })
			must.Do(t, err)
			must.Do(t, b.bus.Steering.Follow(ctx, steer))
			end := func() outcome.Result { return must.Get(outcome.Latest(ctx, b.bus, m.Round))(t) }
			if runs {
				end = b.start(t, m)
				must.Until(ctx, t, "the round is planned", func() bool { _, err := b.bus.Rounds.Manifest(ctx, m.Round); return err == nil })
			} else {
				must.Do(t, b.bus.Rounds.CreateManifest(ctx, m))
			}
			must.Do(t, b.runner(t).FollowCancel(ctx, b.order(t, m.Round, job.CancelOrder{})))
			if got := end(); got.Cancelled != 2 {
				t.Errorf("%d cancelled, want both", got.Cancelled)
			}
			steer, _, err = b.bus.Steering.Load(ctx)
			out, asked := b.bus.Queue.HandOut(ctx, m.Round)
			if must.Do(t, errors.Join(err, asked)); steer.Round != nil || out.Held {
				t.Errorf("%+v is paused, the queue is held: %v; want neither when the round is concluded", steer.Round, out.Held)
			}
			b.work(t, always)
			if next := b.start(t, later(b.plan(t, four()...), "next"))(); next.Done != 2 {
				t.Errorf("%d jobs of the next round are done, want both", next.Done)
			}
		})
	}
}

// Look-ups of maintainers that are still out when the round is cancelled are given up after
// the grace time, as those of an overdue round, be it that all jobs had ended.
func TestACancelGivesUpLookUps(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	asked := make(chan struct{}, 8)
	b.hang.Store(&asked)
	b.work(t, always)
	ctx, m := deadline(t), b.plan(t, four()...)
	end := b.start(t, m, func(c *round.Config) { c.MaintainerGrace = 10 * time.Millisecond })
	select {
	case <-asked:
	case <-ctx.Done():
		t.Fatalf("the round has not asked: %v", end().FailedLookUps)
	}
	c := b.order(t, m.Round, job.CancelOrder{})
	must.Do(t, b.runner(t).FollowCancel(ctx, c))
	got := end()
	lost := got.FailedLookUps
	if got.Cancelled != 0 || got.Done != 2 || len(lost) != 1 || !strings.Contains(lost[0].Error, "the round is cancelled") {
		t.Errorf("%d cancelled, %d done, failed look-ups %v; want both done and one look-up given up",
			got.Cancelled, got.Done, lost)
	}
}

// NATS is away when the order is to be given: it is stored once when NATS comes back, and
// the producer carries it out.
func TestACancelOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	s := stalling(1, 2)
	s.on.Store(true)
	b.work(t, s.handler)
	m := b.plan(t, four()...)
	end := b.start(t, m)
	for range 2 {
		<-s.begun
	}
	defer close(s.open)
	l := &losing{text: []byte("PUB $KV." + job.BucketRounds + "." + job.CancelKey(m.Round, 0)), lost: make(chan struct{})}
	bus := b.losing(t, l) // the first order is lost on its way: nothing answers it
	o := job.CancelOrder{By: "an operator", At: time.Now().UTC()}
	c := must.Get(round.OrderCancel(deadline(t), bus, m.Round, o))(t)
	select {
	case <-l.lost:
	default:
		t.Error("no message was lost: this test does not see what becomes of one")
	}
	must.Do(t, b.runner(t, func(c *round.Config) { c.Bus = bus }).FollowCancel(deadline(t), c))
	if got := end(); got.Cancelled != 2 || len(got.CancelOrders) != 1 {
		t.Errorf("%d cancelled, orders %v; want both, and one order", got.Cancelled, got.CancelOrders)
	}
}

// An order that cannot be read is none, and costs the round nothing; given again it is obeyed.
func TestADamagedOrderIsGivenAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	s := stalling(1, 2)
	s.on.Store(true)
	b.work(t, s.handler)
	m := b.plan(t, four()...)
	must.Get(b.bus.Bucket(job.BucketRounds).Put(t.Context(), job.CancelKey(m.Round, 0), []byte("rubbish")))(t)
	said := &telemetrytest.Log{}
	ctx := deadline(t)
	end := b.start(t, m, func(c *round.Config) { c.Log = said.Logger() })
	said.Await(ctx, t, "an order to cancel cannot be read")
	defer close(s.open)
	must.Do(t, b.runner(t).FollowCancel(ctx, b.order(t, m.Round, job.CancelOrder{})))
	if got := end(); got.Cancelled != 2 {
		t.Errorf("%d cancelled, want both", got.Cancelled)
	}
	b.failedJobs(t, m.Round, 2)
}

// A round that is signed takes orders only from who can sign them.
func TestAnOrderIsSigned(t *testing.T) {
	t.Parallel()
	b, plain, _ := signedSetup(t)
	m := b.plan(t, four()...)
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), m))
	if _, err := round.OrderCancel(t.Context(), plain, m.Round, job.CancelOrder{}); !errors.Is(err, round.ErrNoKey) {
		t.Errorf("%v, want that a key is needed", err)
	}
	must.Get(plain.Rounds.AddCancel(t.Context(), m.Round, 0, job.CancelOrder{By: "nobody"}))(t)
	got, err := b.runner(t).Resume(deadline(t), m.Round)
	if err != nil || !got.Complete || got.Cancelled != 0 {
		t.Errorf("%v: complete %v, %d cancelled; want an order that nobody signed to have no effect", err, got.Complete, got.Cancelled)
	}
}

// hangs answers nothing until the client goes away.
func hangs(r *http.Request, asked chan struct{}) {
	asked <- struct{}{}
	<-r.Context().Done()
}
