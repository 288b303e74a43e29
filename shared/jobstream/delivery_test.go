package jobstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// TestPublishedOnce: publishing again gives no error and queues nothing.
func TestPublishedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1), aJob(1), aJob(2), aJob(1))
	if got := b.messages(); got != 2 {
		t.Errorf("the stream holds %d messages, want 2", got)
	}
}

// TestReplayIsNotSwallowed: its message id differs from the first one, which the server
// still remembers.
func TestReplayIsNotSwallowed(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1))
	must.Do(t, b.next().Ack(b.ctx))
	b.publish(aJob(1)) // the same: swallowed
	if got := b.messages(); got != 0 {
		t.Fatalf("the first job came again: %d messages", got)
	}
	replay := aJob(1)
	replay.Replay = 1
	b.publish(replay, replay)
	if got := b.messages(); got != 1 {
		t.Fatalf("the stream holds %d messages, want the replay alone", got)
	}
	j, err := b.next().Job()
	if err != nil || j.Replay != 1 {
		t.Errorf("got %+v, %v, want replay 1", j, err)
	}
}

// TestFetchTakesWhatIsThere: it does not wait to fill a batch, and takes no more than was
// asked for. The rest is for other workers.
func TestFetchTakesWhatIsThere(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1), aJob(2), aJob(3))
	got, err := b.bus.Queue.Fetch(b.ctx, 2, patience)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %d deliveries, %v, want 2", len(got), err)
	}
	got, err = b.bus.Queue.Fetch(b.ctx, 5, patience)
	if err != nil || len(got) != 1 {
		t.Fatalf("got %d deliveries, %v, want the one left, without waiting for 5", len(got), err)
	}
	if got, err = b.bus.Queue.Fetch(b.ctx, 1, 10*time.Millisecond); err != nil || len(got) != 0 {
		t.Errorf("got %d deliveries, %v, want none and no error", len(got), err)
	}
}

// TestFetchLosesNothingWhenStopped: an interrupted fetch would leave a request behind,
// and the server would deliver the next job to nobody.
func TestFetchLosesNothingWhenStopped(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	ctx, cancel := context.WithCancel(b.ctx)
	fetched := make(chan []*jobstream.Delivery, 1)
	go func() {
		got, err := b.bus.Queue.Fetch(ctx, 4, 5*time.Second)
		must.Check(t, err)
		fetched <- got
	}()
	b.awaitWaiting(1)
	cancel()
	b.publish(aJob(1))
	got := <-fetched
	if len(got) != 1 || got[0].Number() != 1 {
		t.Fatalf("got %d deliveries, want the first of the job, though ctx had ended", len(got))
	}
	must.Do(t, got[0].Nak(b.ctx, 0))
	if again := b.next(); again.Number() != 2 {
		t.Errorf("delivery %d, want 2: handed back, not lost", again.Number())
	}
}

// awaitWaiting asks the server until n pulls wait there.
func (b *bundle) awaitWaiting(n int) {
	b.t.Helper()
	for {
		c := must.Get(b.js.Consumer(b.ctx, job.StreamJobs, job.Consumer))(b.t)
		if c.CachedInfo().NumWaiting == n {
			return
		}
	}
}

func TestFetchOfEndedContext(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1))
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if got, err := b.bus.Queue.Fetch(ctx, 1, patience); len(got) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d deliveries, %v, want none and the end", len(got), err)
	}
}

// TestNakDelay: no worker can get the message during the delay, which is not AckWait.
// Then it comes with the next delivery number.
func TestNakDelay(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: 10 * time.Minute})
	b.publish(aJob(1))
	before := time.Now()
	must.Do(t, b.next().Nak(b.ctx, 700*time.Millisecond))
	again := b.next()
	if again.Number() != 2 {
		t.Errorf("delivery %d, want 2", again.Number())
	}
	if waited := time.Since(before); waited < 700*time.Millisecond {
		t.Errorf("came after %s, want not before 700ms", waited)
	}
}

// TestHeartbeatKeepsTheLease over several AckWaits. Without a heartbeat the job goes to
// another worker.
func TestHeartbeatKeepsTheLease(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Second})
	b.publish(aJob(1))
	first := b.next()
	for begin := time.Now(); time.Since(begin) < 3*time.Second; {
		must.Do(t, first.InProgress(b.ctx))
		if got, err := b.bus.Queue.Fetch(b.ctx, 1, 100*time.Millisecond); err != nil || len(got) > 0 {
			t.Fatalf("got %d deliveries, %v, while the lease is alive", len(got), err)
		}
	}
	if second := b.next(); second.Number() != 2 {
		t.Errorf("delivery %d, want 2", second.Number())
	}
}

// TestSettled: an acknowledged or terminated message is gone when the call returns.
func TestSettled(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1), aJob(2))
	must.Do(t, b.next().Ack(b.ctx))
	if got := b.messages(); got != 1 {
		t.Errorf("after the ack: %d messages, want 1", got)
	}
	must.Do(t, b.next().Term(b.ctx, "permanent"))
	if got := b.messages(); got != 0 {
		t.Errorf("after the term: %d messages, want 0", got)
	}
}

// TestAckTwice: an ack whose answer was lost is sent again.
func TestAckTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1))
	d := b.next()
	for range 2 {
		must.Do(t, d.Ack(b.ctx))
	}
}

func TestUnreadableDeliveries(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	other := must.Get(aJob(8).Encode())(t)
	for _, payload := range [][]byte{[]byte("not json"), other} {
		must.Get(b.js.Publish(b.ctx, job.Subject("r1", 7), payload))(t)
		d := b.next()
		if _, err := d.Job(); !errors.Is(err, job.ErrUnreadable) {
			t.Errorf("%s: got %v, want ErrUnreadable", payload, err)
		}
		if string(d.Payload()) != string(payload) || d.Subject() != "miner.job.r1.7" {
			t.Errorf("got %s on %s, want the message as it came", d.Payload(), d.Subject())
		}
	}
}

// TestTraceTravels: all deliveries of a job carry the publisher's trace.
func TestTraceTravels(t *testing.T) { //nolint:paralleltest // the propagator is global
	otel.SetTextMapPropagator(propagation.TraceContext{})
	b := setup(t, jobstream.Config{})
	want := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	must.Do(t, b.bus.Queue.Publish(trace.ContextWithSpanContext(b.ctx, want), aJob(1)))
	for range 2 {
		d := b.next()
		if got := trace.SpanContextFromContext(d.Context(b.ctx)); got.TraceID() != want.TraceID() {
			t.Errorf("delivery %d: trace %s, want %s", d.Number(), got.TraceID(), want.TraceID())
		}
		must.Do(t, d.Nak(b.ctx, 0))
	}
}
