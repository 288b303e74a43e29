package jobstream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// TestTheIDOutlivesItsMessage shows the trap for which Requeue exists: the server
// remembers a message that was acknowledged or deleted, and drops the next one with its
// id.
func TestTheIDOutlivesItsMessage(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1))
	must.Do(t, b.next().Ack(b.ctx))
	b.publish(aJob(1))
	if got := b.messages(); got != 0 {
		t.Fatalf("the stream holds %d messages: the id was forgotten with its message, and Requeue is more than is needed", got)
	}
	for i, want := range []bool{true, false} { // gone, then there again
		did, err := b.bus.Queue.Requeue(b.ctx, aJob(1))
		if err != nil || did != want {
			t.Errorf("requeued the %d. time: %v, %v; want %v", i+1, did, err, want)
		}
	}
	if got := b.messages(); got != 1 {
		t.Errorf("the stream holds %d messages, want one", got)
	}
	if j, err := b.next().Job(); err != nil || j.UID != 1 {
		t.Errorf("delivered %+v, %v", j, err)
	}
}

// TestRequeueUnderItsOwnID: a job that was never queued is queued under its own id. So a
// producer that is about to publish it finds it there.
func TestRequeueUnderItsOwnID(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	if did, err := b.bus.Queue.Requeue(b.ctx, aJob(1)); err != nil || !did {
		t.Fatalf("requeued: %v, %v", did, err)
	}
	b.publish(aJob(1))
	if got := b.messages(); got != 1 {
		t.Errorf("the stream holds %d messages, want one", got)
	}
}

// TestRequeueAtOnce: several producers find the same message gone, and one message is
// queued.
func TestRequeueAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1))
	must.Do(t, b.next().Ack(b.ctx))
	did := make(chan bool, 8)
	for range cap(did) {
		go func() {
			one, err := b.bus.Queue.Requeue(b.ctx, aJob(1))
			must.Check(t, err)
			did <- one
		}()
	}
	count := 0
	for range cap(did) {
		if <-did {
			count++
		}
	}
	if got := b.messages(); got != 1 || count != 1 {
		t.Errorf("%d say that they queued it, the stream holds %d; want one", count, got)
	}
}

// TestRequeueBesideALeftover: a message of an earlier replay does not count as the job's.
func TestRequeueBesideALeftover(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1))
	replay := aJob(1)
	replay.Replay = 1
	b.publish(replay)
	stream := must.Get(b.js.Stream(b.ctx, job.StreamJobs))(t)
	must.Do(t, stream.DeleteMsg(b.ctx, 2))
	if did, err := b.bus.Queue.Requeue(b.ctx, replay); err != nil || !did {
		t.Errorf("requeued: %v, %v; want the replay beside the leftover", did, err)
	}
	if queued, err := b.bus.Queue.Messages(b.ctx, "r1"); err != nil || !cmp.Equal(queued, map[int]int{1: 2}) {
		t.Errorf("queued %v, %v; want both", queued, err)
	}
}

// TestStuck: a message is stuck when its deliveries are used up or the consumer has
// passed it over. It is not stuck while it is delivered, delayed, or waiting for its
// turn.
func TestStuck(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{MaxDeliver: 2, AckWait: 150 * time.Millisecond})
	stuck := func(why string, want ...uint64) []jobstream.Stuck {
		t.Helper()
		list := must.Get(b.bus.Queue.Stuck(b.ctx, "r1"))(t)
		var got []uint64
		for _, s := range list {
			got = append(got, s.Sequence)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stuck, %s (-want +got):\n%s", why, diff)
		}
		return list
	}
	b.publish(aJob(7))
	stuck("before it was handed out")
	d := b.next()
	stuck("while it is out")
	must.Do(t, d.Nak(b.ctx, 10*time.Millisecond))
	stuck("while it waits for its delay")
	b.next()
	for len(b.stuckNow()) == 0 { // the last lease runs out
		must.Get(b.bus.Queue.Fetch(b.ctx, 1, 20*time.Millisecond))(t)
	}
	b.publish(aJob(8))
	list := stuck("with its deliveries used up", 1)
	if s := list[0]; s.UID != 7 || s.MaxDeliver != 2 || s.Replay != 0 {
		t.Errorf("stuck is %+v, want the job of miner 7", s)
	}
	must.Do(t, b.bus.Queue.Unstick(b.ctx, list[0]))
	stuck("queued again")
	seen := map[string]uint64{}
	for range 2 {
		d := b.next()
		seen[d.Subject()] = d.Number()
	}
	if diff := cmp.Diff(map[string]uint64{"miner.job.r1.7": 1, "miner.job.r1.8": 1}, seen); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	// Unstick runs again, as after a crash in between, when there is already a later
	// message.
	if err := b.bus.Queue.Unstick(b.ctx, list[0]); err != nil || b.messages() != 2 {
		t.Errorf("unstuck twice: %v, the stream holds %d messages, want 2", err, b.messages())
	}
}

func (b *bundle) stuckNow() []jobstream.Stuck {
	b.t.Helper()
	list := must.Get(b.bus.Queue.Stuck(b.ctx, "r1"))(b.t)
	return list
}

// TestRenew: a copy replaces a message that is delivered or withheld. Any worker gets the
// copy at once, with a count of deliveries that starts again.
func TestRenew(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Hour})
	if did, err := b.bus.Queue.Renew(b.ctx, "r1", 1); err != nil || did {
		t.Errorf("renewed: %v, %v; want nothing to renew", did, err)
	}
	b.publish(aJob(1))
	must.Do(t, b.next().Nak(b.ctx, time.Hour))
	if did, err := b.bus.Queue.Renew(b.ctx, "r1", 1); err != nil || !did {
		t.Errorf("renewed: %v, %v; want it done", did, err)
	}
	if d := b.next(); d.Number() != 1 || d.Sequence() != 2 {
		t.Errorf("delivery %d of message %d, want the first of the copy", d.Number(), d.Sequence())
	}
	if n := b.messages(); n != 1 {
		t.Errorf("%d messages, want the copy alone", n)
	}
}

// TestHandOut: waiting workers show that there is no job only if they would be given one.
func TestHandOut(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Hour, MaxDeliver: 7, MaxAckPending: 2})
	idle := func(when string, want bool) {
		t.Helper()
		if got, err := b.bus.Queue.HandOut(b.ctx, "r1"); err != nil || got.Idle != want || got.MaxDeliver != 7 {
			t.Errorf("%s: %+v, %v; want idle %v and 7 deliveries", when, got, err, want)
		}
	}
	withheld := func(when, why string) {
		t.Helper()
		if got, err := b.bus.Queue.HandOut(b.ctx, "r1"); err != nil || got.Withheld != why {
			t.Errorf("%s: %+v, %v; want that jobs are withheld because %q", when, got, err, why)
		}
	}
	filter := func(subject string) {
		t.Helper()
		config := must.Get(b.js.Consumer(b.ctx, job.StreamJobs, job.Consumer))(t).CachedInfo().Config
		config.FilterSubject = subject
		must.Get(b.js.UpdateConsumer(b.ctx, job.StreamJobs, config))(t)
	}
	idle("nobody pulls", false)
	fetched := make(chan int, 1)
	pull := func() {
		go func() {
			got, err := b.bus.Queue.Fetch(b.ctx, 1, patience)
			must.Check(t, err)
			fetched <- len(got)
		}()
		b.awaitWaiting(1)
	}
	pull()
	idle("a worker waits", true)
	filter(job.RoundSubject("r2"))
	idle("it is given another round's jobs", false)
	withheld("another round's", "consumer "+job.Consumer+" hands out "+job.RoundSubject("r2")+" alone")
	filter("")
	must.Get(b.js.PauseConsumer(b.ctx, job.StreamJobs, job.Consumer, time.Now().Add(time.Hour)))(t)
	idle("nothing is handed out", false)
	withheld("paused", "consumer "+job.Consumer+" is paused")
	must.Get(b.js.ResumeConsumer(b.ctx, job.StreamJobs, job.Consumer))(t)
	b.publish(aJob(1), aJob(2))
	if n := must.Receive(b.ctx, t, fetched, "the pull's end"); n != 1 {
		t.Errorf("%d deliveries, want one", n)
	}
	d := b.next()
	pull()
	idle("as many are out as may be", false)
	withheld("as many as may be", "")
	if got := must.Get(b.bus.Queue.HandOut(b.ctx, "r1"))(t); got.Out != 2 {
		t.Errorf("%d are out, want 2", got.Out)
	}
	b.publish(aJob(3))
	must.Do(t, d.Ack(b.ctx))
	must.Receive(b.ctx, t, fetched, "the pull's end")
}

// TestOnly: a round that is served alone gets all its own jobs at once. This includes
// jobs that were delivered when another round's turn came, and jobs that were passed over
// then. It gets no jobs of another round.
func TestOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: 300 * time.Millisecond})
	only := func(round string) {
		t.Helper()
		must.Do(t, b.bus.Queue.ServeOnly(b.ctx, round))
	}
	of := func(round string, uid int) job.Job {
		j := aJob(uid)
		j.Round = round
		return j
	}
	only("r1")
	b.publish(of("r1", 1), of("r1", 2))
	if d := b.next(); d.Subject() != "miner.job.r1.1" { // delivered, and its holder dies
		t.Fatalf("got %s", d.Subject())
	}
	only("r2")
	b.publish(of("r2", 1))
	if d := b.next(); d.Subject() != "miner.job.r2.1" || d.Ack(b.ctx) != nil {
		t.Fatalf("got %s", d.Subject())
	}
	quiet := time.NewTimer(time.Second) // three leases long
	defer quiet.Stop()
	for waiting := true; waiting; {
		if got, err := b.bus.Queue.Fetch(b.ctx, 1, 50*time.Millisecond); err != nil || len(got) > 0 {
			t.Fatalf("round r2 was given %d jobs of another, %v", len(got), err)
		}
		select {
		case <-quiet.C:
			waiting = false
		default:
		}
	}
	only("r1")
	seen := map[string]uint64{}
	for range 2 {
		d := b.next()
		seen[d.Subject()] = d.Number()
	}
	if diff := cmp.Diff(map[string]uint64{"miner.job.r1.1": 1, "miner.job.r1.2": 1}, seen); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	b.publish(of("r1", 3))
	d := b.next()
	for d.Subject() != "miner.job.r1.3" { // the other two come again
		d = b.next()
	}
	record := must.Get(job.Plan("r1", 3, "").Claimed(job.Claim{ID: "c", Sequence: d.Sequence(), Delivery: d.Number()}))(t)
	must.Get(b.bus.Records.Plan(b.ctx, record))(t)
	only("r1") // resumed after a crash: earlier claims still count, or poison would never end
	for again := b.next(); ; again = b.next() {
		if again.Subject() != d.Subject() {
			continue
		}
		if again.Sequence() != d.Sequence() || again.Number() != 2 {
			t.Errorf("message %d delivery %d, want the second delivery of message %d", again.Sequence(), again.Number(), d.Sequence())
		}
		break
	}
}

func TestHolderIsChangedByCompareAndSet(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	if h, revision, err := b.bus.Holders.Load(b.ctx, "r1"); err != nil || revision != 0 || h.Name != "" {
		t.Errorf("nobody yet: %+v at %d, %v", h, revision, err)
	}
	first := must.Get(b.bus.Holders.Set(b.ctx, "r1", job.Holder{Name: "a", For: time.Second}, 0))(t)
	if _, err := b.bus.Holders.Set(b.ctx, "r1", job.Holder{Name: "b"}, 0); !errors.Is(err, jobstream.ErrConflict) {
		t.Errorf("a second first one: %v, want ErrConflict", err)
	}
	if _, err := b.bus.Holders.Set(b.ctx, "r1", job.Holder{Name: "b"}, first); err != nil {
		t.Error(err)
	}
	if _, err := b.bus.Holders.Set(b.ctx, "r1", job.Holder{Name: "a", Beat: 1}, first); !errors.Is(err, jobstream.ErrConflict) {
		t.Errorf("a sign of life of the former: %v, want ErrConflict", err)
	}
	if rounds, err := b.bus.Rounds.List(b.ctx); err != nil || len(rounds) != 0 {
		t.Errorf("rounds %v, %v: a holder makes no round", rounds, err)
	}
}

// TestMaintainersAreKept: the first look-up of a repository counts.
func TestMaintainersAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	one, two := []scoring.Maintainer{{GitHubID: "1"}}, []scoring.Maintainer{{GitHubID: "2"}}
	for _, add := range []map[string][]scoring.Maintainer{{}, {"a/b": one}, {"a/b": two, "c/d": two}} {
		must.Get(b.bus.Rounds.AddMaintainers(b.ctx, "r1", jobstream.Maintainers{Requests: len(add), Found: add}))(t)
	}
	got, err := b.bus.Rounds.Maintainers(b.ctx, "r1")
	if diff := cmp.Diff(jobstream.Maintainers{
		Version: job.Version, Requests: 3, Found: map[string][]scoring.Maintainer{"a/b": one, "c/d": two},
	}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestStoredEvaluationsGoForward: an earlier round or revision does not change a value
// that a later one has changed or dropped.
func TestStoredEvaluationsGoForward(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	from := func(round string, hour, revision int) jobstream.Origin {
		return jobstream.Origin{Round: round, PlannedAt: asOf.Add(time.Duration(hour) * time.Hour), Revision: revision}
	}
	set := func(hotkey string) *scoring.StoredEvaluation {
		return &scoring.StoredEvaluation{UID: 1, Hotkey: hotkey}
	}
	for _, step := range []struct {
		from jobstream.Origin
		to   *scoring.StoredEvaluation
		want string
	}{
		{from("r1", 1, 1), set("first"), "first"},
		{from("r2", 2, 1), set("second"), "second"},
		{from("r1", 1, 2), set("first anew"), "second"},
		{from("r2", 2, 2), set("second anew"), "second anew"},
		{from("r2", 2, 1), set("second late"), "second anew"},
		{from("r2", 2, 2), set("second anew"), "second anew"},
		{from("r3", 3, 1), nil, ""},
		{from("r2", 2, 3), set("second once more"), ""},
		{from("r4", 4, 1), set("fourth"), "fourth"},
	} {
		must.Do(t, b.bus.Miners.Change(b.ctx, step.from, []scoring.StoredChange{{UID: 1, Evaluation: step.to}}))
		all, err := b.bus.Miners.Evaluations(b.ctx)
		if err != nil || all[1].Hotkey != step.want {
			t.Errorf("after %+v: %q is stored, %v; want %q", step.from, all[1].Hotkey, err, step.want)
		}
	}
}
