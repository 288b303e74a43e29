package evaluate_test

import (
	"fmt"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/evaluate"
)

// halves is miner 7 with two merged pull requests of two files each.
func halves() *mirrorsim.World {
	w := mirrorsim.NewWorld("halves", asOf)
	w.Registry = []byte(`{"a/b": {"emission_share": 0.5}}`)
	for n := 1; n <= 2; n++ {
		created := asOf.Add(-time.Duration(n) * 24 * time.Hour)
		merged := created.Add(time.Hour)
		main := "main"
		head := fmt.Sprintf("h%d", n)
		base := "m"
		w.AddPull("107", mirrorsim.Pull{
			RepoFullName: "a/b", Number: n, State: "MERGED", AuthorGitHubID: "107", CreatedAt: created, MergedAt: &merged,
			BaseRef: &main, DefaultBranch: &main, HeadSHA: &head, MergeBaseSHA: &base, ScoringDataStored: true, Additions: 2 * n,
		})
		f := files(n)
		f.HeadSHA, f.MergeBaseSHA = &head, &base
		second := f.Files[0]
		second.Filename = "q.go"
		f.Files = append(f.Files, second)
		w.AddFiles(f)
	}
	return w
}

// The mirror writes a pull request's files while it is asked. The attempt fails
// as transient, and keeps the other pull request's scores alone; when the answer
// is whole, it counts without a mark. Before, the half-written answer was kept
// for 45 days, and every later round was paid by it.
func TestAHalfWrittenAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for _, fault := range []mirrorsim.Fault{mirrorsim.FaultNoFiles, mirrorsim.FaultSomeFiles, mirrorsim.FaultNoTexts} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			b := setup(t, halves())
			whole := must.Get(b.evaluator.Evaluate(t.Context(), in("r1"), job.Attempt{}))(t)
			b = setup(t, halves())
			must.Do(t, b.server.FailFirst("files:a/b#2", 1, fault))
			_, err := b.evaluator.Evaluate(t.Context(), one(), job.Attempt{})
			if err == nil || job.ClassOf(err) != job.Transient {
				t.Fatalf("half-written: got %v, want a transient failure", err)
			}
			got := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
			if got.Cached != 1 || len(got.Missing) != 0 || encoded(t, got.Evaluation) != encoded(t, whole.Evaluation) {
				t.Errorf("the attempt after it: %d cached, missing %v; want the other one cached, and what a whole answer gives", got.Cached, got.Missing)
			}
		})
	}
}

// The last attempt takes what there is, as the validator would, and marks it:
// nothing of it is kept. When the same answer comes back an hour later, that is
// how the mirror has it: it counts, is kept, and is marked no more.
func TestAHalfWrittenAnswerThatStays(t *testing.T) {
	t.Parallel()
	now := asOf
	b := setup(t, halves(), func(c *evaluate.Config) { c.Now = func() time.Time { return now } })
	must.Do(t, b.server.FailFirst("files:a/b#2", -1, mirrorsim.FaultSomeFiles))
	for _, c := range []struct {
		after    time.Duration
		degraded bool
		cached   int
	}{
		{0, true, 0},
		{time.Minute, true, 1},
		{time.Hour, false, 1},
		{time.Hour + time.Minute, false, 2},
	} {
		now = asOf.Add(c.after)
		got := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{Final: true}))(t)
		degraded := len(got.Missing) == 1 && got.Missing[0].What == "files a/b#2" && got.Missing[0].Cause == job.Inconsistent
		if degraded != c.degraded || !degraded && len(got.Missing) != 0 || got.Cached != c.cached {
			t.Errorf("after %s: missing %+v, %d cached; want degraded %v, %d cached", c.after, got.Missing, got.Cached, c.degraded, c.cached)
		}
		if score := got.Evaluation.Merged[1]; len(score.Tokens.Files) != 1 || score.TotalNodesScored == 0 {
			t.Errorf("after %s: scored %+v, want the one file that there is", c.after, score.Tokens)
		}
	}
}

// What is consistent within an hour of the merge counts without a mark, and is
// asked for again by the next round: the mirror may still write it anew.
func TestAFreshMergeIsNotKept(t *testing.T) {
	t.Parallel()
	merged := asOf.Add(-23 * time.Hour) // of the first pull request; the second one's is a day older
	now := merged.Add(time.Minute)
	b := setup(t, halves(), func(c *evaluate.Config) { c.Now = func() time.Time { return now } })
	for _, want := range []int{0, 1, 1, 2} {
		got := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
		if got.Cached != want || len(got.Missing) != 0 {
			t.Errorf("%s after the merge: %d cached, missing %v; want %d, and nothing missing", now.Sub(merged), got.Cached, got.Missing, want)
		}
		now = now.Add(30 * time.Minute)
	}
}

// An answer of another commit than its list's is remembered where the next look
// finds it: the same one an hour later counts without a mark.
func TestAHalfWrittenAnswerOfAnotherCommit(t *testing.T) {
	t.Parallel()
	w := halves()
	f := files(2)
	head := "other"
	base := "m"
	f.HeadSHA = &head
	f.MergeBaseSHA = &base
	f.Files[0].HeadContent = nil
	w.AddFiles(f)
	now := asOf
	b := setup(t, w, func(c *evaluate.Config) { c.Now = func() time.Time { return now } })
	for _, c := range []struct {
		after    time.Duration
		degraded bool
	}{{0, true}, {time.Hour, false}, {2 * time.Hour, false}} {
		now = asOf.Add(c.after)
		got := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{Final: true}))(t)
		if degraded := len(got.Missing) == 1; degraded != c.degraded {
			t.Errorf("after %s: missing %+v, want degraded %v", c.after, got.Missing, c.degraded)
		}
	}
}
