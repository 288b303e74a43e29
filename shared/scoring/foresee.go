package scoring

import (
	"time"

	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// Foreseen is what a round would make of a pull request that does not exist yet.
type Foreseen struct {
	// ScoredPullRequest is it while it is open. Its token figures and its base score do
	// not change when it is merged.
	ScoredPullRequest

	// Earned is what it would earn once merged, if every factor that is not known before
	// is 1: time decay, review quality and the spam multiplier.
	Earned float64
	// Collateral is what it would hold back while it is open.
	Collateral       float64
	CollateralReason CollateralReason
}

// Foresee scores a pull request as a round would while it is open, before anything is
// known but its files, its labels and its linked issues. figures is nil without files.
func Foresee(pr PullRequest, repo *input.Repository, figures *tokens.Figures) Foreseen {
	pr.State, pr.ScoringDataStored = Open, true
	// No rule of an open pull request reads as_of.
	merged := PullRequestOutcome{ScoredPullRequest: Score(pr, repo, figures, time.Time{})}
	f := Foreseen{ScoredPullRequest: merged.ScoredPullRequest, Earned: merged.earn(1)}
	f.Collateral, f.CollateralReason = collateral(&f.ScoredPullRequest, &repo.Scoring)
	return f
}
