package round_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// later is a second round of the same miners.
func later(m job.Manifest, name string) job.Manifest {
	m.Round = name
	m.PlannedAt = m.PlannedAt.Add(time.Second)
	return m
}

// An overdue round is concluded with what it has. Outstanding jobs are dead as overdue
// and take the fallback, and their workers can commit nothing any more. Every job is
// accounted for, and a replay heals the dead ones.
func TestAnOverdueRoundIsConcludedWithWhatThereIs(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Second}) // a late worker's message comes again after it
	var stalled atomic.Bool
	open := make(chan struct{})
	var began, late atomic.Int64
	b.work(t, func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if stalled.Load() { // it ignores the end of its lease
			began.Add(1)
			select {
			case <-open:
				late.Add(1)
			case <-t.Context().Done():
			}
		}
		return evaluated(j, float64(10*j.UID)), nil
	})
	ctx := deadline(t)
	runner := b.runner(t)
	first := b.plan(t, four()...)
	good, err := runner.Start(ctx, first)
	must.Do(t, err)

	stalled.Store(true)
	m := later(first, "overdue")
	m.OverdueAt = time.Now().Add(2 * time.Second) // the workers have begun by then
	m.Notes = []string{"a note"}
	got, err := runner.Start(ctx, m)
	must.Do(t, err)
	if time.Now().Before(m.OverdueAt) {
		t.Error("the round ended before it was overdue")
	}
	if got.Complete || got.Overdue != 2 || got.Failed != 2 || got.Done != 0 || !slices.Equal(got.Notes, m.Notes) {
		t.Errorf("complete %v, %d overdue, %d failed, %d done, notes %q; want an incomplete round of 2 overdue and its note",
			got.Complete, got.Overdue, got.Failed, got.Done, got.Notes)
	}
	for _, letter := range got.DeadLetters {
		if letter.Class != job.Overdue || letter.Error == "" {
			t.Errorf("dead letter of miner %d: class %s, %q; want overdue and why", letter.UID, letter.Class, letter.Error)
		}
	}
	if diff := cmp.Diff([]int{1, 2}, got.Outcome.FromStored); diff != "" {
		t.Errorf("who goes on with stored evaluations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(good.Outcome.Rewards, got.Outcome.Rewards, near()); diff != "" {
		t.Errorf("rewards differ from those of the round before (-want +got):\n%s", diff)
	}
	b.failedJobs(t, m.Round, 2)

	if began.Load() < 2 {
		t.Errorf("%d workers had begun when the round was overdue: this test does not see what two late ones do", began.Load())
	}
	close(open)
	must.Until(deadline(t), t, "the late workers have ended and their messages are gone", func() bool {
		queued, err := b.bus.Queue.Messages(ctx, m.Round)
		must.Do(t, err)
		return len(queued) == 0 && late.Load() == began.Load()
	})
	b.failedJobs(t, m.Round, 2)
	if revisions, err := b.bus.Outcomes.Revisions(ctx, m.Round); err != nil || len(revisions) != 1 {
		t.Errorf("outcomes %v, %v; want the one", revisions, err)
	}

	stalled.Store(false)
	healed, did, err := runner.Replay(ctx, m.Round, outcome.Selection{Class: job.Overdue})
	must.Do(t, err)
	if !healed.Complete || healed.Overdue != 0 || !slices.Equal(did.UIDs, []int{1, 2}) {
		t.Errorf("after a replay of %v: complete %v, %d overdue; want it healed", did.UIDs, healed.Complete, healed.Overdue)
	}
	b.failedJobs(t, m.Round, 0)
}

// failedJobs wants the audit of a round to show that every job has ended, and that so
// many have failed.
func (b *bundle) failedJobs(t *testing.T, name string, failed int) {
	t.Helper()
	held, err := b.bus.Inventory(t.Context(), name)
	must.Do(t, err)
	if a := audit.Of(held); !a.Holds() || a.Outstanding != 0 || a.Failed != failed {
		t.Errorf("audit: %s; %v; want it to hold with %d failed", a, a.Discrepancies, failed)
	}
}

// No worker runs, and the producer that planned the round has died while it declared jobs
// overdue. The next producer concludes the round at once after its time, although the
// mirror does not answer for the maintainers. It makes records that the crash has left
// out, and writes no letter twice.
func TestAnOverdueRoundWaitsForNobody(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	m.OverdueAt = time.Now().Add(-time.Hour)
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), m))
	must.Do(t, b.bus.Letters.Publish(t.Context(), job.DeadLetter{Round: m.Round, UID: 1, Class: job.Overdue, Error: "before the crash", At: m.OverdueAt}))
	b.status.Store(503)
	got, err := b.runner(t, func(c *round.Config) { c.MaintainerGrace = time.Nanosecond }).Resume(deadline(t), m.Round)
	must.Do(t, err)
	if got.Overdue != 2 || got.Failed != 2 || len(got.FailedLookUps) != 1 || got.Complete {
		t.Errorf("%d overdue, %d failed, look-ups failed %v; want two and one look-up", got.Overdue, got.Failed, got.FailedLookUps)
	}
	b.failedJobs(t, m.Round, 2)
	if letters, err := b.bus.Letters.List(t.Context(), m.Round); err != nil || len(letters) != 2 || letters[0].Error != "before the crash" {
		t.Errorf("dead letters %v, %v; want one of each job, the first as it was", letters, err)
	}
}

// A round that ends in time is not overdue. A replay is never overdue.
func TestARoundInTimeIsNotOverdue(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	refuse := atomic.Bool{}
	refuse.Store(true)
	b.work(t, func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if refuse.Load() && j.UID == 1 {
			return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("no"))
		}
		return evaluated(j, 1), nil
	})
	m := b.plan(t, four()...)
	m.OverdueAt = time.Now().Add(time.Hour)
	runner := b.runner(t)
	if got, err := runner.Start(deadline(t), m); err != nil || got.Overdue != 0 || got.Failed != 1 {
		t.Fatalf("%d overdue, %d failed, %v; want none and the one that the mirror refuses", got.Overdue, got.Failed, err)
	}
	over := later(m, "over")
	over.OverdueAt = time.Now().Add(-time.Hour)
	if got, err := runner.Start(deadline(t), over); err != nil || got.Failed == 0 {
		t.Fatalf("%d failed, %v; want a round with something to replay", got.Failed, err)
	}
	refuse.Store(false)
	if got, _, err := runner.Replay(deadline(t), over.Round, outcome.Selection{}); err != nil || got.Failed != 0 {
		t.Errorf("%d failed, %v; want a replay that takes its time", got.Failed, err)
	}
}
