package round_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// patient makes a mirror fail miners as told, until it is healed.
type patient struct {
	healed      atomic.Bool
	evaluations sync.Map // by uid: *atomic.Int64
}

// handler fails miner 1 for good and miner 2 in part, and kills no worker.
func (p *patient) handler(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
	count, _ := p.evaluations.LoadOrStore(j.UID, &atomic.Int64{})
	count.(*atomic.Int64).Add(1)
	e := evaluated(j, float64(10*j.UID))
	switch {
	case p.healed.Load():
	case j.UID == 1:
		return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("the mirror refuses"))
	case j.UID == 2:
		e.Evaluation.Merged[0].BaseScore = 3
		e.Missing = []job.Missing{{What: "files a/b#2", Error: "503"}}
	}
	return e, nil
}

func (p *patient) times(uid int) int64 {
	count, _ := p.evaluations.LoadOrStore(uid, &atomic.Int64{})
	return count.(*atomic.Int64).Load()
}

// failing is a concluded round in which miner 1 is dead and miner 2 degraded.
func failing(t *testing.T, b *bundle) (*patient, job.Manifest, outcome.Result) {
	t.Helper()
	p := &patient{}
	b.work(t, p.handler)
	m := b.plan(t, four()...)
	first, err := b.runner(t).Start(deadline(t), m)
	must.Do(t, err)
	if first.Complete || first.Failed != 1 || len(first.Degraded) != 1 || first.Revision != 1 {
		t.Fatalf("complete %v, failed %d, degraded %v; want one dead and one degraded", first.Complete, first.Failed, first.Degraded)
	}
	if first.Retries != 0 { // a job that is dead at once is not tried again
		t.Errorf("%d retries, want none", first.Retries)
	}
	return p, m, first
}

func bytesOf(t *testing.T, o scoring.Outcome) string {
	t.Helper()
	data, err := json.Marshal(o)
	must.Do(t, err)
	return string(data)
}

// undisturbed is the outcome of a round over the same inputs without failures.
func undisturbed(t *testing.T) string {
	t.Helper()
	b := setup(t, jobstream.Config{})
	p := &patient{}
	p.healed.Store(true)
	b.work(t, p.handler)
	got, err := b.runner(t).Start(deadline(t), b.plan(t, four()...))
	must.Do(t, err)
	return bytesOf(t, got.Outcome)
}

// A healed miner counts as if it had never failed, byte for byte. The former revision
// stays, and no miner is run twice.
func TestAHealedReplayIsAsIfNothingHadFailed(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	p, m, first := failing(t, b)
	p.healed.Store(true)
	got, did, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
	must.Do(t, err)
	if diff := cmp.Diff(outcome.Replayed{UIDs: []int{1, 2}}, did); diff != "" {
		t.Errorf("replayed (-want +got):\n%s", diff)
	}
	if !got.Complete || got.Revision != 2 || len(got.DeadLetters) != 0 || len(got.Degraded) != 0 || got.Planned != 2 || got.Done != 2 {
		t.Errorf("complete %v, revision %d, dead %v, degraded %v, planned %d, done %d; want a complete second revision",
			got.Complete, got.Revision, got.DeadLetters, got.Degraded, got.Planned, got.Done)
	}
	if want := undisturbed(t); bytesOf(t, got.Outcome) != want {
		t.Errorf("the replayed outcome differs from the undisturbed one:\n%s", cmp.Diff(want, bytesOf(t, got.Outcome)))
	}
	b.holds(t, m.Round)
	kept, err := b.bus.Outcomes.Load(t.Context(), m.Round, 1)
	must.Do(t, err)
	former, err := outcome.Decode(kept)
	must.Do(t, err)
	if bytesOf(t, former.Outcome) != bytesOf(t, first.Outcome) {
		t.Error("the first revision has changed")
	}
	if n := b.lookUps.Load(); n != 1 {
		t.Errorf("%d look-ups of maintainers, want the first one's to count for both revisions", n)
	}
	again, did, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
	if err != nil || again.Revision != 2 || len(did.UIDs) != 0 {
		t.Errorf("a second replay: revision %d, ran %v, %v; want nothing left to run", again.Revision, did.UIDs, err)
	}
	latest, err := b.runner(t).Resume(deadline(t), m.Round)
	if err != nil || latest.Revision != 2 {
		t.Errorf("resumed: revision %d, %v; want the latest", latest.Revision, err)
	}
	for uid, want := range map[int]int64{1: 2, 2: 2} {
		if n := p.times(uid); n != want {
			t.Errorf("miner %d was evaluated %d times, want %d", uid, n, want)
		}
	}
}

// Only the selected miners are run again.
func TestReplaySelects(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	p, m, _ := failing(t, b)
	p.healed.Store(true)
	got, did, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{Degraded: true})
	must.Do(t, err)
	if diff := cmp.Diff([]int{2}, did.UIDs); diff != "" || got.Failed != 1 || len(got.Degraded) != 0 || p.times(1) != 1 {
		t.Errorf("ran %v, failed %d, degraded %v, miner 1 %d times; want miner 2 alone run again", did.UIDs, got.Failed, got.Degraded, p.times(1))
	}
	got, did, err = b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{Class: job.Permanent})
	must.Do(t, err)
	if diff := cmp.Diff([]int{1}, did.UIDs); diff != "" || !got.Complete || got.Revision != 3 {
		t.Errorf("ran %v, complete %v, revision %d; want miner 1 alone and a complete third revision", did.UIDs, got.Complete, got.Revision)
	}
	b.holds(t, m.Round)
}

// A replay that fails takes nothing away.
func TestAFailedReplayKeepsTheDegradedEvaluation(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	var worse atomic.Bool
	b.work(t, func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if worse.Load() {
			return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("nothing at all"))
		}
		e := evaluated(j, 5)
		e.Missing = []job.Missing{{What: "files a/b#1", Error: "503"}}
		return e, nil
	})
	m := b.plan(t, four()[1])
	first, err := b.runner(t).Start(deadline(t), m)
	must.Do(t, err)
	worse.Store(true)
	got, _, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
	must.Do(t, err)
	if got.Failed != 1 || got.Complete || bytesOf(t, got.Outcome) != bytesOf(t, first.Outcome) {
		t.Errorf("failed %d, complete %v; want a dead letter and the outcome as it was", got.Failed, got.Complete)
	}
	b.holds(t, m.Round)
}

func TestReplayRefusesWhatThereIsNot(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	_, m, _ := failing(t, b)
	running := b.plan(t, four()[1])
	running.Round = "running"
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), running))
	for name, c := range map[string]struct {
		round string
		s     outcome.Selection
		is    error
		says  []string
	}{
		"an unknown round":       {"never", outcome.Selection{}, jobstream.ErrNotFound, []string{"never"}},
		"a round that runs":      {"running", outcome.Selection{}, round.ErrRunning, []string{"running"}},
		"a miner that is well":   {m.Round, outcome.Selection{UIDs: []int{0}}, outcome.ErrSelection, []string{"miner 0", "1 (permanent), 2 (degraded)"}},
		"no such class":          {m.Round, outcome.Selection{Class: "bad"}, outcome.ErrSelection, []string{`"bad"`, "transient permanent poison"}},
		"a class without a case": {m.Round, outcome.Selection{Class: job.Poison}, outcome.ErrSelection, []string{"poison", "1 (permanent), 2 (degraded)"}},
		"a miner of another class": {
			m.Round, outcome.Selection{UIDs: []int{2}, Class: job.Permanent}, outcome.ErrSelection, []string{"1 (permanent), 2 (degraded)"},
		},
	} {
		_, did, err := b.runner(t).Replay(deadline(t), c.round, c.s)
		if !errors.Is(err, c.is) || len(did.UIDs) > 0 {
			t.Errorf("%s: got %v, ran %v; want %v and nothing run", name, err, did.UIDs, c.is)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not name %q", name, err, want)
			}
		}
	}
	b.holds(t, m.Round)
}

// Of two terminals at once, one runs the replay and the other says so. Both end with the
// same revision.
func TestTwoReplaysAtOnceRunEachMinerOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	p, m, _ := failing(t, b)
	p.healed.Store(true)
	type end struct {
		result outcome.Result
		did    outcome.Replayed
		err    error
	}
	ends := make(chan end, 2)
	ctx := deadline(t)
	for range 2 {
		go func() {
			result, did, err := b.runner(t).Replay(ctx, m.Round, outcome.Selection{})
			ends <- end{result, did, err}
		}()
	}
	one, two := <-ends, <-ends
	must.Do(t, errors.Join(one.err, two.err))
	if one.result.Revision != 2 || two.result.Revision != 2 || bytesOf(t, one.result.Outcome) != bytesOf(t, two.result.Outcome) {
		t.Errorf("revisions %d and %d, or other outcomes; want the second one for both", one.result.Revision, two.result.Revision)
	}
	if ran := len(one.did.UIDs) + len(two.did.UIDs); ran != 2 {
		t.Errorf("ran %v and %v, want each miner once", one.did, two.did)
	}
	for _, uid := range []int{1, 2} {
		if n := p.times(uid); n != 2 {
			t.Errorf("miner %d was evaluated %d times, want 2: the round's and one replay's", uid, n)
		}
	}
	b.holds(t, m.Round)
}

// A look-up of maintainers that failed, wholly or in part, is repeated even if no job
// failed. Until then the readable maintainers count.
func TestAReplayAsksAgainForMaintainers(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.status.Store(500)
	b.work(t, always)
	m := b.plan(t, four()...)
	first, err := b.runner(t).Start(deadline(t), m)
	must.Do(t, err)
	if len(first.FailedLookUps) != 1 {
		t.Fatalf("failed look-ups: %v, want one", first.FailedLookUps)
	}
	b.status.Store(0)
	b.malformed.Store(true)
	partly, _, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
	must.Do(t, err)
	if partly.Complete || len(partly.FailedLookUps) != 1 || partly.FailedLookUps[0].Cause != job.Inconsistent || len(partly.Outcome.Maintainers) != 1 {
		t.Errorf("complete %v, failed look-ups %v, maintainers %v; want one of each, incomplete", partly.Complete, partly.FailedLookUps, partly.Outcome.Maintainers)
	}
	b.malformed.Store(false)
	got, did, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
	must.Do(t, err)
	if !got.Complete || got.Revision != 3 || len(did.UIDs) != 0 || len(got.Outcome.Maintainers) != 1 {
		t.Errorf("complete %v, revision %d, ran %v, maintainers %v", got.Complete, got.Revision, did.UIDs, got.Outcome.Maintainers)
	}
}

// A replay is a trace of its own, which links to the failed one.
func TestAReplaysTraceIsLinkedToTheFormer(t *testing.T) { //nolint:paralleltest // the provider is global
	recorder := tracetest.NewSpanRecorder()
	provider, before := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	t.Cleanup(func() {
		otel.SetTracerProvider(before)
		must.Do(t, provider.Shutdown(context.Background()))
	})
	b := setup(t, jobstream.Config{})
	p, m, _ := failing(t, b)
	failed, _, err := b.bus.Records.Load(t.Context(), m.Round, 1)
	must.Do(t, err)
	p.healed.Store(true)
	_, _, err = b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{UIDs: []int{1}})
	must.Do(t, err)
	healed, _, err := b.bus.Records.Load(t.Context(), m.Round, 1)
	must.Do(t, err)
	if failed.Trace == "" || healed.Trace == failed.Trace {
		t.Fatalf("traces %q and %q, want two", failed.Trace, healed.Trace)
	}
	for _, span := range recorder.Ended() {
		if span.Name() != "job" || span.SpanContext().TraceID().String() != healed.Trace {
			continue
		}
		for _, link := range span.Links() {
			if link.SpanContext.TraceID().String() == failed.Trace {
				return
			}
		}
	}
	t.Errorf("no link of the replay's trace leads to %s", failed.Trace)
}

func TestCompareSaysWhatARevisionChanged(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	p, m, first := failing(t, b)
	p.healed.Store(true)
	second, _, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{UIDs: []int{1}})
	must.Do(t, err)
	got := outcome.Compare(first, second)
	want := map[int]string{1: "was dead (permanent), healed", 2: "still degraded"}
	for _, change := range got.Changes {
		if change.Reason != want[change.UID] || change.Reward.Old == change.Reward.New {
			t.Errorf("miner %d: %+v, want %q and another reward", change.UID, change, want[change.UID])
		}
		delete(want, change.UID)
	}
	if len(want) > 0 || got.From != 1 || got.To != 2 {
		t.Errorf("revisions %d to %d, without a word of %v", got.From, got.To, want)
	}
	if same := outcome.Compare(second, second); len(same.Changes) != 0 {
		t.Errorf("a revision compared with itself has changes: %+v", same.Changes)
	}
}
