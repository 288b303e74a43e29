package lease_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/lease"
)

// TestSuccess: the evaluation is stored under the claim that the record
// names, and the message is gone.
func TestSuccess(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(7)
	b.run(lease.Config{Handler: func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		if j.UID != 7 || a.Delivery != 1 || a.Failures != 0 || a.Final {
			t.Errorf("got job %+v, attempt %+v", j, a)
		}
		a.Expect(ctx, 12)
		if got := b.record(7); got.Phase != job.Running || got.Expected != 12 || got.Claim.Worker != "w1" {
			t.Errorf("while it runs the record is %+v", got)
		}
		a.Requests.Add(11)
		return job.Evaluation{Missing: []job.Missing{{What: "issues"}}}, nil
	}})
	r := b.awaitPhase(7, job.Done)
	b.awaitMessages(0)
	if r.Deliveries != 1 || r.Failures != 0 || r.Requests != 11 || !r.Degraded || r.Expected != 0 || r.Trace != "trace" {
		t.Errorf("record is %+v", r)
	}
	e, err := b.bus.Evaluations.Load(b.ctx, r.Evaluation)
	b.must(err)
	if e.Round != "r1" || e.UID != 7 || e.Worker != "w1" || e.Claim != r.Claim.ID || e.Requests != 11 || e.FinishedAt.IsZero() {
		t.Errorf("evaluation is %+v", e)
	}
	if r.Evaluation != job.EvaluationKey("r1", 7, r.Claim.ID) {
		t.Errorf("evaluation is under %s, want the claim's key", r.Evaluation)
	}
}

// TestRetries: failures are counted by the record, requests are summed over
// the attempts, and the handler knows when it is the last.
func TestRetries(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	var attempts []job.Attempt
	b.run(lease.Config{Handler: func(_ context.Context, _ job.Job, a job.Attempt) (job.Evaluation, error) {
		attempts = append(attempts, a)
		a.Requests.Add(5)
		if !a.Final {
			return job.Evaluation{}, errMirror
		}
		return job.Evaluation{Missing: []job.Missing{{What: "files", Error: "502"}}}, nil
	}})
	r := b.awaitPhase(1, job.Done)
	if r.Failures != 3 || r.Deliveries != 4 || r.Requests != 20 || !r.Degraded {
		t.Errorf("record is %+v, want 3 failures, 4 deliveries, 20 requests, degraded", r)
	}
	if r.Failure == nil || r.Failure.Class != job.Transient || r.Failure.Error != errMirror.Error() {
		t.Errorf("the last failure is %+v", r.Failure)
	}
	for i, a := range attempts {
		if a.Failures != i || a.Delivery != uint64(i+1) || a.Final != (i == 3) {
			t.Errorf("attempt %d was told %+v", i, a)
		}
	}
}

// TestDeadAfterFourFailures: letter, record and message, and no fifth try.
func TestDeadAfterFourFailures(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	var tries atomic.Int64
	w := b.run(lease.Config{Handler: func(_ context.Context, _ job.Job, a job.Attempt) (job.Evaluation, error) {
		tries.Add(1)
		a.Requests.Add(2)
		return job.Evaluation{}, fmt.Errorf("listing: %w", errMirror)
	}})
	r := b.awaitPhase(1, job.Failed)
	b.awaitMessages(0)
	b.finish(w)
	if r.Failures != job.MaxFailures || r.Requests != 8 || tries.Load() != 4 {
		t.Errorf("record is %+v after %d tries, want 4 failures, 8 requests", r, tries.Load())
	}
	want := []job.DeadLetter{{
		Version: 1, Round: "r1", UID: 1, Class: job.Transient, Error: "listing: mirror answered 502", Attempts: 4,
		Worker: "w1", Trace: "trace", At: r.Failure.At,
	}}
	if diff := cmp.Diff(want, b.letters("r1")); diff != "" {
		t.Error(diff)
	}
}

func TestPermanentIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	b.run(lease.Config{Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
		return job.Evaluation{}, fmt.Errorf("listing: %w", job.WithClass(job.Permanent, errMirror))
	}})
	r := b.awaitPhase(1, job.Failed)
	b.awaitMessages(0)
	if letters := b.letters("r1"); r.Deliveries != 1 || len(letters) != 1 || letters[0].Class != job.Permanent {
		t.Errorf("record is %+v, letters %+v, want one delivery and one letter", r, letters)
	}
}

// TestPanicIsAFailure of the job, not of the worker.
func TestPanicIsAFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	b.run(lease.Config{Handler: func(_ context.Context, _ job.Job, a job.Attempt) (job.Evaluation, error) {
		if a.Failures == 0 {
			panic("index out of range [7]")
		}
		return job.Evaluation{}, nil
	}})
	r := b.awaitPhase(1, job.Done)
	if r.Failures != 1 || r.Failure.Class != job.Transient || !strings.Contains(r.Failure.Error, "index out of range [7]") {
		t.Errorf("record is %+v, %+v, want one transient failure with the panic's text", r, r.Failure)
	}
	if !strings.Contains(b.log.String(), "outcome_test.go") {
		t.Error("the log has no stack")
	}
}

// TestUnreadable: what is no job is dead at once, with its payload and reason,
// and so is the record that its subject names.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		subject, payload, reason, letters string
		record                            bool
	}{
		"not json":       {"miner.job.r1.7", "{", "unexpected end", "r1", true},
		"later version":  {"miner.job.r1.7", `{"version":99}`, "version 99", "r1", true},
		"another's name": {"miner.job.r1.7", string(encoded(t, aJob(8))), "miner.job.r1.8", "r1", true},
		"no record":      {"miner.job.r1.9", "{", "unexpected end", "r1", false},
		"no name":        {"miner.job.WHAT", "{", "unexpected end", job.RoundUnnamed, false},
		"unknown round":  {"miner.job.r9.7", string(encoded(t, job.Job{Round: "r9", UID: 7, GitHubID: "1", AsOf: asOf})), "unknown round r9", "r9", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, never)
			_, err := b.bus.Records.Plan(b.ctx, job.Plan("r1", 7, "trace"))
			b.must(err)
			_, err = b.js.Publish(b.ctx, c.subject, []byte(c.payload))
			b.must(err)
			b.run(lease.Config{Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
				t.Error("handled")
				return job.Evaluation{}, nil
			}})
			b.awaitMessages(0)
			letters := b.letters(c.letters)
			if len(letters) != 1 || string(letters[0].Payload) != c.payload || letters[0].Class != job.Permanent ||
				!strings.Contains(letters[0].Error, c.reason) {
				t.Fatalf("letters are %+v, want one with the payload and %q", letters, c.reason)
			}
			r := b.record(7)
			if c.record && (r.Phase != job.Failed || !strings.Contains(r.Failure.Error, c.reason)) || !c.record && r.Phase != job.Planned {
				t.Errorf("record is %+v, want it failed: %t", r, c.record)
			}
		})
	}
}

func encoded(t *testing.T, j job.Job) []byte {
	t.Helper()
	data := must.Get(j.Encode())(t)
	return data
}

// TestMessageWithoutRecord: the record was lost, the round is known: the job
// runs all the same, and the log says so.
func TestMessageWithoutRecord(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.must(b.bus.Queue.Publish(b.ctx, aJob(3)))
	b.run(lease.Config{Handler: succeed})
	b.awaitPhase(3, job.Done)
	b.awaitMessages(0)
	b.awaitLog("message without record")
}

// TestEndedJobIsNotRunAgain: a worker that died between its commit and its
// ack leaves a message whose record has ended.
func TestEndedJobIsNotRunAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	done := job.Plan("r1", 1, "trace")
	done.Phase, done.Evaluation = job.Done, "r1.1.former"
	_, err := b.bus.Records.Plan(b.ctx, done)
	b.must(err)
	b.must(b.bus.Queue.Publish(b.ctx, aJob(1)))
	b.run(lease.Config{Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
		t.Error("handled")
		return job.Evaluation{}, nil
	}})
	b.awaitMessages(0)
	if got := b.record(1); got.Evaluation != "r1.1.former" || got.Deliveries != 0 {
		t.Errorf("record is %+v, want it as it was", got)
	}
}

// TestReplay runs under its own record; a leftover of the round's first
// publication does not.
func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	record := job.Plan("r1", 1, "trace")
	record.Phase = job.Failed
	record, err := record.Replanned(1, "trace2")
	b.must(err)
	_, err = b.bus.Records.Plan(b.ctx, record)
	b.must(err)
	replay := aJob(1)
	replay.Replay = 1
	b.must(b.bus.Queue.Publish(b.ctx, aJob(1)))
	b.must(b.bus.Queue.Publish(b.ctx, replay))
	var replays []int
	w := b.run(lease.Config{Slots: 1, Handler: func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		replays = append(replays, j.Replay)
		return job.Evaluation{}, nil
	}})
	b.awaitPhase(1, job.Done)
	b.awaitMessages(0)
	b.finish(w)
	if !cmp.Equal(replays, []int{1}) {
		t.Errorf("ran replays %v, want 1 alone", replays)
	}
}

// TestNakWaitsForItsDelay, growing with the failures.
func TestNakWaitsForItsDelay(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	var starts []time.Time
	b.run(lease.Config{
		Delays: []time.Duration{100 * time.Millisecond, 400 * time.Millisecond}, Jitter: -1,
		Handler: func(_ context.Context, _ job.Job, a job.Attempt) (job.Evaluation, error) {
			starts = append(starts, time.Now())
			if a.Failures < 2 {
				return job.Evaluation{}, errMirror
			}
			return job.Evaluation{}, nil
		},
	})
	b.awaitPhase(1, job.Done)
	for i, want := range []time.Duration{100 * time.Millisecond, 400 * time.Millisecond} {
		if got := starts[i+1].Sub(starts[i]); got < want {
			t.Errorf("attempt %d began %s after the one before, want not before %s", i+2, got, want)
		}
	}
}
