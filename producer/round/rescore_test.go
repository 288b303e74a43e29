package round_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// rescored is a complete round. Its workers end jobs of a replay as fail says, nil for
// well, and score them a little higher.
func rescored(t *testing.T, b *bundle, fail func(ctx context.Context) error) (job.Manifest, outcome.Result) {
	t.Helper()
	b.work(t, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if j.Replay > 0 && fail != nil {
			if err := fail(ctx); err != nil {
				return job.Evaluation{}, err
			}
		}
		return evaluated(j, float64(10*j.UID+j.Replay)), nil
	})
	m := b.plan(t, four()...)
	first := must.Get(b.runner(t).Start(deadline(t), m))(t)
	if !first.Complete {
		t.Fatal("the round is not complete")
	}
	return m, first
}

// rescoring is the selection of a rescore.
func rescoring(uids ...int) outcome.Selection { return outcome.Selection{UIDs: uids, Rescore: true} }

// A miner that is done and lacks nothing runs again: its new evaluation counts in a new
// revision, and nobody else's changes.
func TestARescoreRunsWhatIsDone(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m, first := rescored(t, b, nil)
	if _, _, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{UIDs: []int{2}}); !errors.Is(err, outcome.ErrSelection) {
		t.Errorf("a replay: %v, want a refusal, because it lacks nothing", err)
	}
	got, did, err := b.runner(t).Replay(deadline(t), m.Round, rescoring(2))
	must.Do(t, err)
	if !got.Complete || got.Revision != 2 || !slices.Equal(did.UIDs, []int{2}) || len(got.Kept) != 0 {
		t.Errorf("ran %v: complete %v, revision %d, kept %v; want a complete second revision", did.UIDs, got.Complete, got.Revision, got.Kept)
	}
	before, after := first.Outcome.Miners, got.Outcome.Miners
	if after[1].TotalScore != before[1].TotalScore || after[2].TotalScore <= before[2].TotalScore {
		t.Errorf("scores %v and %v, before %v and %v; want only miner 2's higher",
			after[1].TotalScore, after[2].TotalScore, before[1].TotalScore, before[2].TotalScore)
	}
	b.holds(t, m.Round)
}

// A rescore that fails, in whichever way, leaves the round as good as it was: the former
// evaluation counts, no figure changes, and the round is as complete.
func TestARescoreThatFailsMakesNothingWorse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		class job.Class
		fail  func(context.Context) error
	}{
		"permanent": {job.Permanent, func(context.Context) error { return job.WithClass(job.Permanent, errors.New("404")) }},
		"transient": {job.Transient, func(context.Context) error { return errors.New("503") }},
		"cancelled": {job.Cancelled, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			begun := make(chan struct{}, 32)
			m, first := rescored(t, b, func(ctx context.Context) error { begun <- struct{}{}; return c.fail(ctx) })
			type end struct {
				result outcome.Result
				err    error
			}
			ends, ctx := make(chan end, 1), deadline(t)
			runner := b.runner(t)
			go func() {
				result, _, err := runner.Replay(ctx, m.Round, rescoring(2))
				ends <- end{result, err}
			}()
			if c.class == job.Cancelled {
				<-begun
				must.Do(t, b.runner(t).FollowCancel(ctx, b.order(t, m.Round, job.CancelOrder{UIDs: []int{2}})))
			}
			got := <-ends
			must.Do(t, got.err)
			r := got.result
			if !r.Complete || r.Revision != 2 || r.Failed != 1 || !slices.Equal(r.Kept, []int{2}) ||
				len(r.DeadLetters) != 1 || r.DeadLetters[0].Class != c.class {
				t.Errorf("complete %v, revision %d, %d failed, kept %v, dead %v; want a complete one that kept miner 2's",
					r.Complete, r.Revision, r.Failed, r.Kept, r.DeadLetters)
			}
			if bytesOf(t, r.Outcome) != bytesOf(t, first.Outcome) {
				t.Errorf("the outcome has changed (-before +after):\n%s", cmp.Diff(bytesOf(t, first.Outcome), bytesOf(t, r.Outcome)))
			}
			b.failedJobs(t, m.Round, 1)
		})
	}
}

// Who is no miner of the round, or has no job, is refused with a list of those that are.
func TestARescoreIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m, _ := rescored(t, b, nil)
	for uid, want := range map[int]string{
		9: "miner 9 has no job in the round; there are 1 (done), 2 (done)",
		3: "miner 3 has no job in the round; there are 1 (done), 2 (done)",
	} {
		_, _, err := b.runner(t).Replay(deadline(t), m.Round, rescoring(1, uid))
		if !errors.Is(err, outcome.ErrSelection) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want a refusal with %q", err, want)
		}
	}
}

// Without names a rescore runs every miner that has a job.
func TestARescoreOfAll(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m, _ := rescored(t, b, nil)
	got, did, err := b.runner(t).Replay(deadline(t), m.Round, rescoring())
	if err != nil || !slices.Equal(did.UIDs, []int{1, 2}) || !got.Complete || got.Revision != 2 {
		t.Errorf("ran %v to revision %d, complete %v, %v; want both miners again in revision 2", did.UIDs, got.Revision, got.Complete, err)
	}
}
