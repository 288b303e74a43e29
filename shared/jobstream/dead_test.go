package jobstream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

func TestDeadLettersOfARound(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	letter := func(round string, uid, replay, attempts int) job.DeadLetter {
		return job.DeadLetter{
			Version: job.Version, Round: round, UID: uid, Replay: replay, Class: job.Permanent, Error: "404", Attempts: attempts,
			Worker: "w", At: asOf,
		}
	}
	want := []job.DeadLetter{letter("r1", 3, 0, 1), letter("r1", 1, 0, 4), letter("r1", 3, 1, 2)}
	// The last letter reports the second end again, because the worker that reported it
	// first died.
	for _, d := range append(want, letter("r2", 1, 0, 1), letter("r1", 1, 0, 5)) {
		must.Do(t, b.bus.Letters.Publish(b.ctx, d))
	}
	got, err := b.bus.Letters.List(b.ctx, "r1")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if got, err := b.bus.Letters.List(b.ctx, "r3"); err != nil || len(got) != 0 {
		t.Errorf("unknown round: got %v, %v, want none", got, err)
	}
	must.Do(t, b.bus.Letters.Publish(b.ctx, job.DeadLetter{Round: "not a round", Payload: []byte("x"), At: asOf}))
	if got, err := b.bus.Letters.List(b.ctx, job.RoundUnnamed); err != nil || len(got) != 1 || string(got[0].Payload) != "x" {
		t.Errorf("a letter without a round: got %v, %v, want it under %q", got, err, job.RoundUnnamed)
	}
}

// exhaust delivers a job until its deliveries are used up, as for processes that die each
// time. It waits for the server's advisory.
func (b *bundle) exhaust(uid int) {
	b.t.Helper()
	b.publish(aJob(uid))
	for want := uint64(1); want <= 2; want++ {
		if d := b.next(); d.Number() != want {
			b.t.Fatalf("delivery %d, want %d", d.Number(), want)
		}
	}
	stream := must.Get(b.js.Stream(b.ctx, job.StreamAdvisory))(b.t)
	for {
		// The server notices it at the next attempt to deliver the job.
		if got, err := b.bus.Queue.Fetch(b.ctx, 1, 50*time.Millisecond); err != nil || len(got) > 0 {
			b.t.Fatalf("got %d deliveries, %v, after the last", len(got), err)
		}
		info := must.Get(stream.Info(b.ctx))(b.t)
		if info.State.Msgs > 0 {
			return
		}
	}
}

// TestExhausted: nobody listened when the server published its advisory, and the job is
// reported all the same. The message would never be delivered again. It is removed once
// that is dealt with, and not before.
func TestExhausted(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{MaxDeliver: 2, AckWait: 150 * time.Millisecond})
	b.exhaust(7)
	if got := b.messages(); got != 1 {
		t.Fatalf("the stream holds %d messages, want the one that is stuck", got)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	type call struct {
		round      string
		uid        int
		deliveries uint64
	}
	var calls []call
	err := b.bus.Queue.ConsumeExhausted(ctx, func(_ context.Context, e jobstream.Exhausted) error {
		calls = append(calls, call{e.Round, e.UID, e.Deliveries})
		if len(calls) == 1 {
			if got := b.messages(); got != 1 {
				t.Errorf("the message was removed before it was dealt with")
			}
			return errors.New("not yet")
		}
		cancel()
		return nil
	})
	if err != nil {
		t.Errorf("ended with %v, want nil at the end of its context", err)
	}
	want := []call{{"r1", 7, 2}, {"r1", 7, 2}}
	if diff := cmp.Diff(want, calls, cmp.AllowUnexported(call{})); diff != "" {
		t.Errorf("calls (the first one fails): %s", diff)
	}
}

// TestExhaustedIsRemoved: the message is removed when handle has returned nil. An
// advisory about a removed message does not call handle.
func TestExhaustedIsRemoved(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{MaxDeliver: 2, AckWait: 150 * time.Millisecond})
	b.exhaust(7)
	ctx, cancel := context.WithCancel(b.ctx)
	consumed := make(chan error, 1)
	handled := make(chan int, 10)
	go func() {
		consumed <- b.bus.Queue.ConsumeExhausted(ctx, func(_ context.Context, e jobstream.Exhausted) error {
			handled <- e.UID
			return nil
		})
	}()
	<-handled
	for b.messages() > 0 {
		if b.ctx.Err() != nil {
			t.Fatal("the message stays")
		}
	}
	// The same advisory comes again, as after a crash between removal and ack.
	must.Get(b.js.Publish(b.ctx, "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.MINER_JOBS.workers",
		[]byte(`{"stream_seq":1,"deliveries":2}`)))(t)
	b.awaitAdvisoriesAcked(2)
	cancel()
	must.Check(t, <-consumed)
	if len(handled) != 0 {
		t.Error("an advisory about a message that is gone called handle")
	}
}

func (b *bundle) awaitAdvisoriesAcked(n uint64) {
	b.t.Helper()
	for {
		c := must.Get(b.js.Consumer(b.ctx, job.StreamAdvisory, "exhausted"))(b.t)
		if c.CachedInfo().AckFloor.Stream >= n {
			return
		}
	}
}

// TestExhaustedWithoutName: a message on a subject that names no job ends in
// the dead letters with its payload.
func TestExhaustedWithoutName(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	must.Get(b.js.Publish(b.ctx, "miner.job.WHAT", []byte("x")))(t)
	must.Get(b.js.Publish(b.ctx, "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.MINER_JOBS.workers",
		[]byte(`{"stream_seq":1,"deliveries":20}`)))(t)
	ctx, cancel := context.WithCancel(b.ctx)
	consumed := make(chan error, 1)
	go func() {
		consumed <- b.bus.Queue.ConsumeExhausted(ctx, func(context.Context, jobstream.Exhausted) error {
			t.Error("called for a job without a name")
			return nil
		})
	}()
	for b.messages() > 0 {
		if b.ctx.Err() != nil {
			t.Fatal("the message stays")
		}
	}
	cancel()
	must.Check(t, <-consumed)
	letters, err := b.bus.Letters.List(b.ctx, job.RoundUnnamed)
	if err != nil || len(letters) != 1 || string(letters[0].Payload) != "x" || letters[0].Class != job.Poison {
		t.Errorf("dead letters: %+v, %v, want one of class poison with the payload", letters, err)
	}
}

// TestAdvisoriesNameTheirStream: an error of reading them once named the stream of jobs.
func TestAdvisoriesNameTheirStream(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	_, js := jobstreamtest.Connect(t, b.servers.NATSURL(), b.log.Logger())
	ended := make(chan error, 1)
	go func() {
		ended <- b.bus.Queue.ConsumeExhausted(b.ctx, func(context.Context, jobstream.Exhausted) error { return nil })
	}()
	must.Until(b.ctx, t, "it waits for advisories", func() bool {
		c, err := js.Consumer(b.ctx, job.StreamAdvisory, "exhausted")
		return err == nil && c.CachedInfo().NumWaiting > 0
	})
	b.nc.Close()
	if err := <-ended; !errors.Is(err, nats.ErrConnectionClosed) || !strings.Contains(err.Error(), "fetching from "+job.StreamAdvisory) {
		t.Errorf("got %v, want that fetching from %s failed", err, job.StreamAdvisory)
	}
}
