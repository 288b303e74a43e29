package round_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// A producer that starts learns from the streams when rounds were last concluded, and
// which of them were complete.
func TestTheLastConclusionIsOnRecord(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	if last, err := round.LastOf(t.Context(), b.bus); err != nil || !last.Concluded.IsZero() || !last.Complete.IsZero() {
		t.Errorf("before any round: %+v, %v; want never", last, err)
	}
	var refused atomic.Bool
	b.work(t, func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if refused.Load() {
			return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("no such miner"))
		}
		return evaluated(j, 1), nil
	})
	run := func(name string) (began, ended time.Time) {
		t.Helper()
		m := b.plan(t, four()...)
		m.Round = name
		began = time.Now()
		_, err := b.runner(t).Start(deadline(t), m)
		must.Do(t, err)
		return began, time.Now()
	}
	began, ended := run("r1")
	first := b.last(t)
	if first.Complete.Before(began) || first.Complete.After(ended) || !first.Concluded.Equal(first.Complete) {
		t.Errorf("after a complete round: %+v, want both between %s and %s", first, began, ended)
	}
	refused.Store(true)
	began, ended = run("r2")
	second := b.last(t)
	if second.Concluded.Before(began) || second.Concluded.After(ended) || !second.Complete.Equal(first.Complete) {
		t.Errorf("after one with dead letters: %+v, want it concluded between %s and %s, and complete at %s", second, began, ended, first.Complete)
	}
	// This is what a producer leaves that dies right after it has stored the outcome.
	b.purge(t, job.BucketRounds, job.LastKey)
	must.Do(t, round.KeepLast(t.Context(), b.bus))
	near := func(x, y time.Time) bool { return x.Sub(y).Abs() < time.Minute }
	if again := b.last(t); !near(again.Complete, second.Complete) || !near(again.Concluded, second.Concluded) || !again.Complete.Before(again.Concluded) {
		t.Errorf("from the outcomes: %+v, want what was noted: %+v", again, second)
	}
	// An older one changes nothing.
	before := b.last(t)
	must.Do(t, b.bus.Schedule.RecordConclusion(t.Context(), began.Add(-time.Hour), true))
	if after := b.last(t); after != before {
		t.Errorf("after an older one: %+v, want %+v", after, before)
	}
}

// last is the value in the bucket.
func (b *bundle) last(t *testing.T) job.Last {
	t.Helper()
	last, _, err := b.bus.Schedule.LastConclusion(t.Context())
	must.Do(t, err)
	return last
}
