package scoring

import (
	"math"
	"time"

	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/python"
)

// DecayReason is what a time decay was computed from.
type DecayReason struct {
	Hours         float64 `json:"hours"` // from the merge to as_of
	Grace         bool    `json:"grace,omitempty"`
	GraceHours    int     `json:"grace_period_hours"`
	Midpoint      float64 `json:"sigmoid_midpoint_days"`
	Steepness     float64 `json:"sigmoid_steepness"`
	MinMultiplier float64 `json:"min_multiplier"`
}

// ReviewReason is what a review quality was computed from.
type ReviewReason struct {
	ChangesRequested int     `json:"maintainer_changes_requested_count"`
	Rate             float64 `json:"review_penalty_rate"`
}

// The rules fix the order of every floating-point operation. A product is
// converted to float64 before anything is added, so that no compiler fuses the
// two into one operation with one rounding.

// timeDecay is the share of its worth that a merge still has at as_of:
// docs/rules/scoring.md#time-decay-and-review-quality. Hours come from whole
// microseconds, which is all that a Python datetime has. A merge after as_of has
// negative hours and is inside the grace period.
func timeDecay(merged, asOf time.Time, d *input.TimeDecay) (float64, DecayReason) {
	const perHour = 3600
	hours := float64(micros(asOf)-micros(merged)) / 1e6 / perHour
	reason := DecayReason{
		Hours:         hours,
		Grace:         hours < float64(d.GracePeriodHours),
		GraceHours:    d.GracePeriodHours,
		Midpoint:      d.SigmoidMidpointDays,
		Steepness:     d.SigmoidSteepness,
		MinMultiplier: d.MinMultiplier,
	}
	if reason.Grace {
		return 1, reason
	}
	const hoursPerDay = 24
	sigmoid := 1 / (1 + math.Exp(d.SigmoidSteepness*(hours/hoursPerDay-d.SigmoidMidpointDays)))
	return python.Round2(max(sigmoid, d.MinMultiplier)), reason
}

// Decay is the share of its worth that a merge still has at asOf.
func Decay(merged, asOf time.Time, d *input.TimeDecay) float64 {
	share, _ := timeDecay(merged, asOf, d)
	return share
}

// reviewQuality is the share of its worth that a merge has left after the changes
// that maintainers requested. It never falls below 0.
// See docs/rules/scoring.md#time-decay-and-review-quality.
func reviewQuality(changesRequested int, rate float64) (float64, ReviewReason) {
	quality := max(0, 1-float64(rate*float64(changesRequested)))
	return python.Round2(quality), ReviewReason{changesRequested, rate}
}

// CollateralReason is what an open pull request's collateral was computed from,
// besides the base score and the issue and label multipliers of the pull request.
type CollateralReason struct {
	ReviewReason

	ReviewMultiplier float64 `json:"review_multiplier"` // of the requested changes, at most 2
	Percent          float64 `json:"open_pr_collateral_percent"`
}

// MaxReviewCollateral caps the factor that requested changes give a collateral:
// docs/rules/scoring.md#collateral.
const MaxReviewCollateral = 2

// collateral is the score that an open pull request holds back. It is not rounded.
// The inner product is taken first, in the validator's order.
// See docs/rules/scoring.md#collateral.
func collateral(pr *ScoredPullRequest, rates *input.Scoring) (float64, CollateralReason) {
	review := min(MaxReviewCollateral, 1+float64(rates.ReviewPenaltyRate*float64(pr.MaintainerChangesRequestedCount)))
	potential := pr.BaseScore * (pr.IssueMultiplier * pr.LabelMultiplier * review)
	return potential * rates.OpenPRCollateralPercent, CollateralReason{
		ReviewReason{pr.MaintainerChangesRequestedCount, rates.ReviewPenaltyRate}, review, rates.OpenPRCollateralPercent,
	}
}
