package jobstream_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// These tests record surprising behaviour of JetStream. The rest of the product is built
// around it. A failure after an upgrade of the server means that a guard can go, or that
// another is needed.

// trapLease is over soon.
const trapLease = time.Second

// handOver lets the first delivery's lease run out. It returns that delivery and the
// second one, which another worker has now.
func handOver(t *testing.T) (b *bundle, stale, current *jobstream.Delivery) {
	t.Helper()
	b = setup(t, jobstream.Config{AckWait: trapLease})
	b.publish(aJob(1))
	stale = b.next()
	current = b.next()
	if stale.Number() != 1 || current.Number() != 2 {
		t.Fatalf("deliveries %d and %d, want 1 and 2", stale.Number(), current.Number())
	}
	return b, stale, current
}

// TestTrapLateAck: the server accepts the ack of a lease that has run out, and removes
// the message from under its holder. So only a job that has ended is acknowledged: a late
// worker has lost the record before.
func TestTrapLateAck(t *testing.T) {
	t.Parallel()
	b, stale, current := handOver(t)
	must.Do(t, stale.Ack(b.ctx))
	if got := b.messages(); got != 0 {
		t.Errorf("%d messages after a late ack, want it taken: the guard is no longer needed", got)
	}
	if err := current.Ack(b.ctx); err != nil {
		t.Errorf("the holder's own ack: %v, want it harmless", err)
	}
}

// TestTrapStaleNak: a nak of a lease that has run out ends the lease of the message's
// present holder. So a nak is sent once, and not after the local deadline.
func TestTrapStaleNak(t *testing.T) {
	t.Parallel()
	b, stale, current := handOver(t)
	// From here on no lease ends by itself.
	b.open(jobstream.Config{AckWait: 10 * time.Minute})
	must.Do(t, current.InProgress(b.ctx))
	must.Do(t, stale.Nak(b.ctx, 0))
	if third := b.next(); third.Number() != 3 {
		t.Fatalf("delivery %d, want 3", third.Number())
	}
}

// TestTrapForeignHeartbeat: a heartbeat of a lease that has run out prolongs the lease of
// the message's present holder, dead or alive. So the heartbeats of a term end at its
// deadline, which is checked before each one.
func TestTrapForeignHeartbeat(t *testing.T) {
	t.Parallel()
	b, stale, _ := handOver(t) // the second holder is dead: it says nothing
	for begin := time.Now(); time.Since(begin) < 3*trapLease; {
		must.Do(t, stale.InProgress(b.ctx))
		if got, err := b.bus.Queue.Fetch(b.ctx, 1, 50*time.Millisecond); err != nil || len(got) > 0 {
			t.Fatalf("got %d deliveries, %v: a stale heartbeat no longer prolongs", len(got), err)
		}
	}
	if third := b.next(); third.Number() != 3 {
		t.Errorf("delivery %d, want 3 when the heartbeats stop", third.Number())
	}
}

// TestTrapBackOff: a consumer's BackOff replaces AckWait, so a lease is as long as its
// first step. So Open removes a BackOff that somebody has set.
func TestTrapBackOff(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: 10 * time.Minute})
	c := b.consumer()
	c.BackOff = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}
	must.Get(b.js.CreateOrUpdateConsumer(b.ctx, job.StreamJobs, c))(t)
	b.publish(aJob(1))
	b.next()
	if again := b.next(); again.Number() != 2 { // ten minutes early
		t.Fatalf("delivery %d, want 2: BackOff no longer overrides AckWait", again.Number())
	}
	b.open(jobstream.Config{AckWait: 10 * time.Minute})
	if c := b.consumer(); c.BackOff != nil || c.AckWait != 10*time.Minute || b.bus.AckWait() != 10*time.Minute {
		t.Errorf("after Open: BackOff %v, AckWait %s, lease %s; want none, and ten minutes", c.BackOff, c.AckWait, b.bus.AckWait())
	}
}

// TestTrapDelayedNaksFillMaxAckPending: a message that waits for its nak's delay counts
// as pending, so enough of them stop all deliveries. So MaxAckPending is far above the
// number of jobs that a fleet holds or delays at once, and the delays are short.
func TestTrapDelayedNaksFillMaxAckPending(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{MaxAckPending: 2})
	b.publish(aJob(1), aJob(2), aJob(3))
	for range 2 {
		must.Do(t, b.next().Nak(b.ctx, time.Hour))
	}
	if got, err := b.bus.Queue.Fetch(b.ctx, 1, 200*time.Millisecond); err != nil || len(got) > 0 {
		t.Fatalf("got %d deliveries, %v: naks that wait no longer fill MaxAckPending", len(got), err)
	}
	b.open(jobstream.Config{MaxAckPending: jobstream.DefaultMaxAckPending})
	if d := b.next(); d.Subject() != job.Subject("r1", 3) {
		t.Errorf("got %s, want job 3 when the limit is raised", d.Subject())
	}
}

// TestTrapMessageIDSwallowsAReplay: a job that is published again under its first id is
// confirmed and not queued. So a replay has an id of its own.
func TestTrapMessageIDSwallowsAReplay(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1))
	must.Do(t, b.next().Term(b.ctx, "permanent"))
	data := must.Get(aJob(1).Encode())(t)
	ack, err := b.js.Publish(b.ctx, job.Subject("r1", 1), data, jetstream.WithMsgID(aJob(1).MessageID()))
	if err != nil || !ack.Duplicate || b.messages() != 0 {
		t.Fatalf("ack %+v, %v, %d messages: an id is no longer remembered", ack, err, b.messages())
	}
	replay := aJob(1)
	replay.Replay = 1
	b.publish(replay)
	if got := b.messages(); got != 1 {
		t.Errorf("%d messages, want the replay", got)
	}
}

// TestTrapExhaustedIsNotRevived: a message whose deliveries are used up is not delivered
// again when MaxDeliver is raised. So such a job is buried, and its replay is another
// message.
func TestTrapExhaustedIsNotRevived(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{MaxDeliver: 2, AckWait: 150 * time.Millisecond})
	b.exhaust(7)
	b.open(jobstream.Config{MaxDeliver: 50})
	if c := b.consumer(); c.MaxDeliver != 50 {
		t.Fatalf("MaxDeliver is %d, want it raised", c.MaxDeliver)
	}
	if got, err := b.bus.Queue.Fetch(b.ctx, 1, 2*time.Second); err != nil || len(got) > 0 {
		t.Fatalf("got %d deliveries, %v: a raised limit revives", len(got), err)
	}
	if got := b.messages(); got != 1 {
		t.Errorf("%d messages, want the one that nobody will get", got)
	}
	replay := aJob(7)
	replay.Replay = 1
	b.publish(replay)
	if d := b.next(); d.Number() != 1 {
		t.Errorf("delivery %d, want the first of the replay", d.Number())
	}
}
