package scoring

import (
	"time"

	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// NeedsFiles says whether a pull request's files are to be fetched. Without
// scoring_data_stored the mirror has no files of it.
func NeedsFiles(pr PullRequest) bool { return pr.ScoringDataStored }

// Score scores one loaded pull request: docs/rules/scoring.md#base-score and
// docs/rules/scoring.md#multipliers. figures is nil when the files were not fetched,
// could not be fetched, or the list is empty. The pull request then stays unscored,
// unless the repository has a fixed base score.
func Score(pr PullRequest, repo *input.Repository, figures *tokens.Figures, asOf time.Time) ScoredPullRequest {
	scored := unscored(&pr)
	if figures == nil && repo.FixedBaseScore == nil {
		scored.Reasons.Base = because(BaseNoFiles)
		if !pr.ScoringDataStored {
			scored.Reasons.Base = because(BaseNoStoredData)
		}
		return scored
	}
	scored.Scored = true
	scored.base(repo, figures)
	scored.multipliers(&pr, repo, asOf)
	return scored
}

// unscored is a pull request with every score 0 and every multiplier 1.
func unscored(pr *PullRequest) ScoredPullRequest {
	return ScoredPullRequest{
		Repository:                      pr.Repository,
		Number:                          pr.Number,
		Title:                           pr.Title,
		State:                           pr.State,
		CreatedAt:                       pr.CreatedAt,
		MergedAt:                        pr.MergedAt,
		MaintainerChangesRequestedCount: pr.MaintainerChangesRequestedCount,
		IssueMultiplier:                 1,
		TimeDecayMultiplier:             1,
		ReviewQualityMultiplier:         1,
		LabelMultiplier:                 1,
		Listed:                          listed(pr),
	}
}

// base sets the token figures, if there are any, and the base score.
func (s *ScoredPullRequest) base(repo *input.Repository, figures *tokens.Figures) {
	scale := repo.Scoring.SrcTokSaturationScale
	if figures != nil {
		s.Tokens = figures
		s.TokenScore = figures.TokenScore
		s.StructuralCount, s.StructuralScore = figures.StructuralCount, figures.StructuralScore
		s.LeafCount, s.LeafScore = figures.LeafCount, figures.LeafScore
		s.TotalNodesScored = figures.TotalNodesScored
		s.BaseScore = tokens.BaseScore(figures, scale)
		s.Reasons.Base = because(BaseFromTokens, "source_token_score", number(figures.SourceTokenScore),
			"src_tok_saturation_scale", number(scale), "total_score", number(figures.TotalScore))
	}
	// A fixed base score replaces the base score alone. The token figures stay: the
	// spam threshold is computed from them.
	if repo.FixedBaseScore != nil {
		s.Reasons.Base = because(BaseFixed, "fixed_base_score", number(*repo.FixedBaseScore), "from_tokens", number(s.BaseScore))
		s.BaseScore, s.BaseWhole = *repo.FixedBaseScore, repo.FixedBaseWhole
	}
}

// multipliers applies docs/rules/scoring.md#multipliers. Decay and review quality stay
// 1 unless the pull request is merged.
func (s *ScoredPullRequest) multipliers(pr *PullRequest, repo *input.Repository, asOf time.Time) {
	label := chooseLabel(pr.Labels, repo)
	if label.name != "" {
		s.Label = &label.name
	}
	s.LabelMultiplier, s.Reasons.Labels = label.multiplier, label.reasons
	issue, issueReason, linked := issueMultiplier(pr, &repo.Scoring)
	s.IssueMultiplier = issue
	s.Reasons.Issue = &issueReason
	s.Reasons.LinkedIssues = linked
	if pr.State != Merged {
		return
	}
	decay, decayReason := timeDecay(pr.MergedAt, asOf, &repo.Scoring.TimeDecay)
	review, reviewReason := reviewQuality(pr.MaintainerChangesRequestedCount, repo.Scoring.ReviewPenaltyRate)
	s.TimeDecayMultiplier, s.Reasons.TimeDecay = decay, &decayReason
	s.ReviewQualityMultiplier, s.Reasons.Review = review, &reviewReason
}
