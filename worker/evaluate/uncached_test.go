package evaluate_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/evaluate"
)

// Answers that failed, or that the mirror may still change, are asked for again.
func TestWhatIsNeverKept(t *testing.T) {
	t.Parallel()
	w := named(1, "h")
	name(w, 2, "h", false)
	w.AddPull("107", pullWithoutFiles(3))
	b := setup(t, w)
	for range 2 {
		b.server.Reset()
		e := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{Final: true}))(t)
		if len(e.Missing) != 2 || len(e.Evaluation.Merged) != 3 || !e.Evaluation.Merged[1].Scored {
			t.Errorf("missing %+v of %d, want files a/b#2 and a/b#3", e.Missing, len(e.Evaluation.Merged))
		}
	}
	if got := filesAsked(b); got != 2 {
		t.Errorf("%d files fetched again, want the two that are not final", got)
	}
}

// Whatever ran out of time or memory is committed by the first attempt, degraded,
// since another one would end the same; it is never kept, so that each round and
// each replay asks for it again.
func TestWhatRanOutOfItsBudget(t *testing.T) {
	t.Parallel()
	hard := strings.Repeat("a?b:", 10_000)
	head := "h-1"
	base := "m"
	hardFiles := files(1)
	hardFiles.HeadSHA = &head
	hardFiles.MergeBaseSHA = &base
	hardFiles.Files[0].HeadContent = &hard
	for name, c := range map[string]struct {
		env    string
		budget time.Duration // of a pull request
		miner  time.Duration
		method tokens.Method
		error  string
		asked  int // of three pull requests
	}{
		"a parse":                {parseEnv + "=1ms", 0, 0, tokens.MethodTreeDiff, "1 of its files took too much processor time to parse, the first p.go", 1},
		"a pull request":         {parseEnv + "=0s", time.Nanosecond, 0, tokens.MethodSkippedTimeout, "p.go: it took more than 1ns of processor time", 3},
		"all files of the miner": {parseEnv + "=0s", 0, time.Nanosecond, tokens.MethodSkippedTimeout, "the budget of all files together is spent: 1ns of processor time", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := named(3, "h")
			w.AddFiles(hardFiles)
			b := setup(t, w, func(cfg *evaluate.Config) {
				cfg.Scorer, cfg.MinerBudget = newScorer(t, c.budget, c.env), c.miner
			})
			for range 2 {
				b.server.Reset()
				e := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
				if len(e.Missing) != c.asked || e.Missing[0].What != "files a/b#1" || e.Missing[0].Cause != job.OutOfBudget || !strings.Contains(e.Missing[0].Error, c.error) {
					t.Errorf("missing %+v, want %d, the first of a/b#1 with cause %s and %q", e.Missing, c.asked, job.OutOfBudget, c.error)
				}
				if f := e.Evaluation.Merged[0].Tokens.Files[0]; f.Method != c.method || f.OutOfTime != (c.method == tokens.MethodTreeDiff) || f.Nodes != 0 {
					t.Errorf("figures %+v, want none by %s", f, c.method)
				}
			}
			if got := filesAsked(b); got != c.asked {
				t.Errorf("%d files fetched again, want the %d that ran out", got, c.asked)
			}
		})
	}
}

func pullWithoutFiles(n int) mirrorsim.Pull {
	merged := asOf.Add(-time.Hour)
	main := "main"
	sha := "s"
	return mirrorsim.Pull{
		RepoFullName: "a/b", Number: n, State: "MERGED", AuthorGitHubID: "107", CreatedAt: asOf.Add(-4 * time.Hour), MergedAt: &merged,
		BaseRef: &main, HeadSHA: &sha, BaseSHA: &sha, ScoringDataStored: true,
	}
}

// The attempt after a failed one asks for the lists and for what is missing.
func TestALaterAttemptFetchesOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	b := setup(t, named(6, "h"))
	must.Do(t, b.server.FailFirst("files:a/b#4", 3, "503")) // all tries of one attempt
	var left atomic.Int64
	if _, err := b.evaluator.Evaluate(t.Context(), one(), job.Attempt{Left: &left}); job.ClassOf(err) != job.Transient || err == nil {
		t.Fatalf("first attempt: got %v, want a transient failure", err)
	}
	if left.Load() != 1 {
		t.Errorf("the first attempt left %d requests, want the one that was not answered", left.Load())
	}
	b.server.Reset()
	e := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
	if s := b.server.Stats(); s.Requests != 4 || filesAsked(b) != 1 || e.Cached != 5 {
		t.Errorf("second attempt: %d requests, %d for files, %d from the cache; want 4, 1 and 5", s.Requests, filesAsked(b), e.Cached)
	}
}
