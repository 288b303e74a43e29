package scoring_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// What is foreseen of a pull request is what Score makes of it while it is open, and what
// the evaluation makes of that; once merged, its base score is the same.
func TestForesee(t *testing.T) {
	t.Parallel()
	repo := input.DefaultRepository("acme/widgets")
	figures := &tokens.Figures{SourceTokenScore: 100, TokenScore: 120, TotalScore: 150, Files: []tokens.FileFigures{{Filename: "a.go"}}}
	pr := scoring.PullRequest{
		Repository: "acme/widgets", Number: 1, AuthorID: "1", CreatedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		LinkedIssues: []scoring.LinkedIssue{{Number: 2, State: scoring.Open, AuthorID: new("2")}},
	}
	got := scoring.Foresee(pr, &repo, figures)
	pr.State, pr.ScoringDataStored = scoring.Open, true
	open := scoring.Score(pr, &repo, figures, time.Now())
	if diff := cmp.Diff(open, got.ScoredPullRequest); diff != "" {
		t.Errorf("the open pull request (-Score +Foresee):\n%s", diff)
	}
	if want := open.BaseScore * open.IssueMultiplier * 0.2; got.Collateral != want || got.CollateralReason.Percent != 0.2 {
		t.Errorf("collateral %v %+v, want %v", got.Collateral, got.CollateralReason, want)
	}
	pr.State, pr.MergedAt = scoring.Merged, pr.CreatedAt
	merged := scoring.Score(pr, &repo, figures, pr.MergedAt)
	if merged.BaseScore != got.BaseScore || got.Earned != got.BaseScore*1.33 {
		t.Errorf("base score %v, earned %v; merged %v", got.BaseScore, got.Earned, merged.BaseScore)
	}
	if got := scoring.Foresee(pr, &repo, nil); got.Scored || got.Earned != 0 || got.Reasons.Base.Code != scoring.BaseNoFiles {
		t.Errorf("without files: %+v", got)
	}
}
