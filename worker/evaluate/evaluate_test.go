package evaluate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/evaluate"
)

// Pull requests stand in the order received, however their files arrive, and
// each has its figures or a reason why not.
func TestAnEvaluationIsInTheOrderReceived(t *testing.T) {
	t.Parallel()
	w := world(12)
	open := mirrorsim.Pull{
		RepoFullName: "a/b", Number: 50, State: "OPEN", AuthorGitHubID: "107", CreatedAt: asOf.Add(-time.Hour), ScoringDataStored: false,
	}
	w.AddPull("107", open)
	w.AddRawPull("107", "a/b", 60, asOf.Add(-2*time.Hour), []byte(`{"repo_full_name": "a/b", "pr_number": 60}`))
	w.AddPull("107", mirrorsim.Pull{
		RepoFullName: "a/b", Number: 61, State: "DRAFT", AuthorGitHubID: "107", CreatedAt: asOf.Add(-time.Hour),
	})
	b := setup(t, w)
	var told []int
	var left atomic.Int64
	left.Store(-1)
	got := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{Left: &left, Expect: func(_ context.Context, n int) {
		told = append(told, n)
		if got := left.Load(); got != int64(n)-1 {
			t.Errorf("%d of %d are left when the list is known, want all but that one", got, n)
		}
	}}))(t)
	for i, pr := range got.Evaluation.Merged {
		if pr.Number != i+1 || !pr.Scored || pr.BaseScore <= 0 || pr.StructuralCount < pr.Number {
			t.Errorf("merged %d: number %d, scored %v, base %g, structural %d", i, pr.Number, pr.Scored, pr.BaseScore, pr.StructuralCount)
		}
	}
	if len(got.Evaluation.Merged) != 12 || len(got.Evaluation.Open) != 1 {
		t.Fatalf("%d merged and %d open, want 12 and 1", len(got.Evaluation.Merged), len(got.Evaluation.Open))
	}
	if pr := got.Evaluation.Open[0]; pr.Scored || pr.Reasons.Base.Code != scoring.BaseNoStoredData {
		t.Errorf("without stored data: scored %v because of %q", pr.Scored, pr.Reasons.Base.Code)
	}
	if len(got.Evaluation.Dropped) != 1 || got.Evaluation.Dropped[0].Number != 61 {
		t.Errorf("dropped %+v, want number 61 alone", got.Evaluation.Dropped)
	}
	if len(got.Malformed) != 1 || !strings.Contains(got.Malformed[0].Item, "a/b#60") || len(got.Missing) != 0 {
		t.Errorf("malformed %+v, missing %+v; want a/b#60 alone", got.Malformed, got.Missing)
	}
	const requests = 1 + 2 + 12 // the list, the issues, the files
	if left.Load() != 0 {
		t.Errorf("%d are left at the end, want none", left.Load())
	}
	if told[len(told)-1] != requests || b.server.Stats().Requests != requests || b.meter.permits != requests {
		t.Errorf("told %v, the mirror saw %d, %d permits; want %d of each", told, b.server.Stats().Requests, b.meter.permits, requests)
	}
}

// What the mirror does not give is retried first; only the last attempt commits
// without it, and says what is missing.
func TestMissingFilesFailTheAttemptUntilTheLast(t *testing.T) {
	t.Parallel()
	b := setup(t, world(3))
	must.Do(t, b.server.FailFirst("files:a/b#2", -1, "503"))
	_, err := b.evaluator.Evaluate(t.Context(), one(), job.Attempt{})
	if job.ClassOf(err) != job.Transient || !errors.Is(err, mirror.ErrUnavailable) || !strings.Contains(err.Error(), "files a/b#2") {
		t.Errorf("first attempt: got %v, want a transient failure that names files a/b#2", err)
	}
	got := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{Final: true}))(t)
	if len(got.Missing) != 1 || got.Missing[0].What != "files a/b#2" {
		t.Errorf("missing %+v, want files a/b#2", got.Missing)
	}
	var scored []bool
	for _, pr := range got.Evaluation.Merged {
		scored = append(scored, pr.Scored)
	}
	if diff := cmp.Diff([]bool{true, false, true}, scored); diff != "" {
		t.Errorf("scored (-want +got):\n%s", diff)
	}
}

// A 404 would be a 404 again: nothing is retried for it, and it is no secret.
func TestAFinalAnswerIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	w := world(2)
	merged, main := asOf.Add(-time.Hour), "main"
	w.AddPull("107", mirrorsim.Pull{
		RepoFullName: "a/b", Number: 9, State: "MERGED", AuthorGitHubID: "107", CreatedAt: asOf.Add(-2 * time.Hour), MergedAt: &merged,
		BaseRef: &main, ScoringDataStored: true,
	})
	b := setup(t, w)
	got := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
	if len(got.Missing) != 1 || got.Missing[0].What != "files a/b#9" || !strings.Contains(got.Missing[0].Error, "404") {
		t.Errorf("missing %+v, want files a/b#9 with its 404", got.Missing)
	}
	if n := b.server.Stats().ByStatus["404"]; n != 1 {
		t.Errorf("%d answers of 404, want 1", n)
	}
}

// Pull requests that cannot be listed fail the job; what can still be had, the
// miner's issues, is left for the rules at its end.
func TestUnlistablePullRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, world(1))
	must.Do(t, b.server.FailFirst("pulls:107", -1, "500"))
	got, err := b.evaluator.Evaluate(t.Context(), one(), job.Attempt{})
	if job.ClassOf(err) != job.Transient || err == nil || got.Version != 0 {
		t.Errorf("first attempt: got %+v, %v; want a transient failure and no evaluation", got, err)
	}
	got, err = b.evaluator.Evaluate(t.Context(), one(), job.Attempt{Final: true})
	if job.ClassOf(err) != job.Transient || err == nil {
		t.Errorf("last attempt: got %v, want a transient failure", err)
	}
	if got.Version == 0 || !got.Evaluation.FetchFailed || got.Evaluation.Issues == nil {
		t.Errorf("last attempt: left %+v, want the issues alone", got.Evaluation)
	}
}

func TestIssuesAndTheirSolvers(t *testing.T) {
	t.Parallel()
	w := world(1)
	w.AddFiles(files(5))
	created := asOf.Add(-48 * time.Hour)
	closed := asOf.Add(-24 * time.Hour)
	id := "107"
	main := "main"
	reason := "COMPLETED"
	for n, solver := range map[int]int{20: 5, 21: 6, 22: 1} { // known files, no files, the miner's own
		w.AddIssue("107", mirrorsim.Issue{
			RepoFullName: "a/b", Number: n, State: "CLOSED", StateReason: &reason, AuthorGitHubID: &id, CreatedAt: &created, ClosedAt: &closed,
			SolvedByPR: &solver, SolvingPR: &mirrorsim.SolvingPR{
				Number: solver, AuthorGitHubID: "9", State: "MERGED", MergedAt: &closed, BaseRef: &main, DefaultBranch: &main,
			},
		})
	}
	w.AddIssue("107", mirrorsim.Issue{RepoFullName: "a/b", Number: 30, State: "OPEN", AuthorGitHubID: &id, CreatedAt: &created})
	b := setup(t, w)
	got := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
	issues := got.Evaluation.Issues
	if issues == nil || len(issues.Listed) != 4 || issues.Open["a/b"] != 1 || issues.OpenFailed {
		t.Fatalf("issues %+v, want four listed and one open", issues)
	}
	available := map[string]bool{}
	for _, s := range issues.Solving {
		available[fmt.Sprintf("%s#%d", s.Repository, s.Number)] = !s.Unavailable && s.TokenScore > 0
	}
	if diff := cmp.Diff(map[string]bool{"a/b#5": true, "a/b#6": false}, available); diff != "" {
		t.Errorf("solving pull requests with a score (-want +got):\n%s", diff)
	}
	must.Do(t, b.server.FailFirst("open_issues:107", -1, "502"))
	got = must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{Final: true}))(t)
	if !got.Evaluation.Issues.OpenFailed || got.Missing[0].What != "open issues" {
		t.Errorf("open issues that fail: %+v, missing %+v", got.Evaluation.Issues, got.Missing)
	}
	onlyIssues := one()
	onlyIssues.IssuesOnly = true
	b.server.Reset()
	got = must.Get(b.evaluator.Evaluate(t.Context(), onlyIssues, job.Attempt{Final: true}))(t)
	if !got.Evaluation.FetchFailed || len(got.Evaluation.Merged) != 0 || b.server.Stats().ByRoute["POST /api/v1/miners/{github_id}/pulls"].Requests != 0 {
		t.Errorf("issues only: %+v, by route %+v", got.Evaluation, b.server.Stats().ByRoute)
	}
}

// A child has the files of one miner alone: another miner's job has a new one,
// and so has each pull request that solved a miner's issue, whoever wrote it.
func TestNoChildHasFilesOfTwoMiners(t *testing.T) {
	t.Parallel()
	w := world(3)
	created := asOf.Add(-2 * time.Hour)
	merged := asOf.Add(-time.Hour)
	id := "107"
	other := "108"
	main := "main"
	solver := 5
	reason := "COMPLETED"
	w.AddPull(other, mirrorsim.Pull{
		RepoFullName: "a/b", Number: 4, State: "MERGED", AuthorGitHubID: other, CreatedAt: created, MergedAt: &merged,
		BaseRef: &main, DefaultBranch: &main, ScoringDataStored: true, Additions: 4,
	})
	w.AddFiles(files(4))
	w.AddFiles(files(solver))
	w.AddIssue(id, mirrorsim.Issue{
		RepoFullName: "a/b", Number: 20, State: "CLOSED", StateReason: &reason, AuthorGitHubID: &id, CreatedAt: &created, ClosedAt: &merged,
		SolvedByPR: &solver, SolvingPR: &mirrorsim.SolvingPR{
			Number: solver, AuthorGitHubID: other, State: "MERGED", MergedAt: &merged, BaseRef: &main, DefaultBranch: &main,
		},
	})
	b := setup(t, w)
	var started []int64
	for _, miner := range []string{id, other, other} {
		j := one()
		j.GitHubID = miner
		got := must.Get(b.evaluator.Evaluate(t.Context(), j, job.Attempt{}))(t)
		if len(got.Evaluation.Merged) == 0 || !got.Evaluation.Merged[0].Scored || miner == id && len(got.Evaluation.Issues.Solving) != 1 {
			t.Fatalf("%+v; want that pull requests, and the one that solved an issue, are scored", got.Evaluation)
		}
		started = append(started, b.scorer.Stats().Started)
	}
	// The solver's files have a second child, the other miner's a third.
	if diff := cmp.Diff([]int64{2, 3, 3}, started); diff != "" {
		t.Errorf("children started (-want +got):\n%s", diff)
	}
}

// A job of a round that nobody planned, or of another mirror, says so.
func TestRoundsThatCannotBeScored(t *testing.T) {
	t.Parallel()
	b := setup(t, world(1), func(c *evaluate.Config) { c.MirrorURL = "https://elsewhere.example" })
	_, err := b.evaluator.Evaluate(t.Context(), one(), job.Attempt{})
	if !errors.Is(err, evaluate.ErrMirror) || !strings.Contains(err.Error(), "--mirror "+b.server.URL) {
		t.Errorf("another mirror: got %v, want how to start the worker", err)
	}
	unknown := one()
	unknown.Round = "r2"
	if _, err := b.evaluator.Evaluate(t.Context(), unknown, job.Attempt{}); job.ClassOf(err) != job.Transient || err == nil {
		t.Errorf("a round without manifest: got %v, want a failure that is tried again: its producer puts it back", err)
	}
}

// The evaluator works with the client that it was given: it makes none, and
// leaves this one open.
func TestTheHandedInClientIsUsedAndStaysOpen(t *testing.T) {
	t.Parallel()
	b := setup(t, world(4))
	must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
	seen := b.server.Stats()
	if sent := b.client.Stats().Sent; sent != int64(seen.Requests) {
		t.Errorf("the client sent %d requests, the mirror saw %d: somebody else asked", sent, seen.Requests)
	}
	if err := b.client.Health(t.Context()); err != nil {
		t.Errorf("after an evaluation the client does not work any more: %v", err)
	}
	b.client.Close()
	if _, err := b.evaluator.Evaluate(t.Context(), one(), job.Attempt{Final: true}); !errors.Is(err, mirror.ErrClosed) {
		t.Errorf("with a closed client: got %v, want ErrClosed", err)
	}
}

// A job holds no more files at once than it was told, nor does the process: it
// is what bounds a worker's memory.
func TestHeldFilesAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ files, held, want int }{{8, 1, 1}, {2, 8, 2}, {8, 8, 8}} {
		b := setup(t, world(24), func(cfg *evaluate.Config) { cfg.Files, cfg.HeldFiles = c.files, c.held })
		must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
		if b.meter.atOnce > c.want || c.want == 8 && b.meter.atOnce < 2 {
			t.Errorf("%d files a job, %d a process: %d requests at once, want at most %d, and several where several may",
				c.files, c.held, b.meter.atOnce, c.want)
		}
	}
}

func TestACancelledJobEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, world(3))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.evaluator.Evaluate(ctx, one(), job.Attempt{Final: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled job: got %v, want context.Canceled", err)
	}
}
