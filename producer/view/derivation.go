package view

import (
	"fmt"
	"strconv"

	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
)

// Derivation is how a score comes about, so that it can be computed again by hand.
type Derivation struct {
	// Formulas are in the order in which the rules apply them.
	Formulas []Formula     `json:"formulas"`
	Gates    []Requirement `json:"gates"`
	// Zero names the gate or the factor that makes the score 0; "" for another score.
	Zero string `json:"zero,omitempty"`
	// Waterfall leads from the base score to the score, step by step.
	Waterfall []Step `json:"waterfall"`
}

// derivePull derives what a pull request earns, or holds back while it is open. gate is the
// repository's, nil for one that is not registered; path is how the repository pays, nil for
// one without emission.
func derivePull(pull *scoring.PullRequestOutcome, gate *scoring.Gate, path *RepositoryPath) Derivation {
	d := Derivation{Formulas: []Formula{}, Gates: pullGates(gate), Waterfall: []Step{}}
	if !pull.Scored {
		d.Zero = "it is not scored: " + string(pull.Reasons.Base.Code)
		return d
	}
	d.Formulas = append(baseFormulas(&pull.ScoredPullRequest), multiplierFormulas(&pull.ScoredPullRequest)...)
	switch {
	case pull.State == scoring.Open:
		d.Formulas = append(d.Formulas, collateralFormula(pull))
	case pull.State == scoring.Closed:
		d.Zero = "it was closed without a merge, and counts against credibility"
	case gate == nil:
		d.Zero = "the repository is not registered"
	case gate.Code != scoring.GateOpen:
		d.Zero = fmt.Sprintf("the repository does not pay this miner (%s)", gate.Code)
	default:
		if pull.EarnedScore == 0 {
			d.Zero = zeroOf(pull, gate)
		}
		d.Formulas = append(d.Formulas, earnedFormula(pull))
	}
	d.Waterfall = pullWaterfall(pull, gate, rateOf(path))
	return d
}

// baseFormulas derive the base score: docs/rules/scoring.md#totals. An outcome keeps what it
// was computed from in the reason.
func baseFormulas(pull *scoring.ScoredPullRequest) []Formula {
	values := pull.Reasons.Base.Values
	if pull.Reasons.Base.Code == scoring.BaseFixed {
		f := formulaOf("base score", pull.BaseScore, scoreDigits, num(pull.BaseScore))
		return []Formula{f.noted("the repository's fixed base score; the tokens alone would give " + shortText(values["from_tokens"]))}
	}
	source, total := float(values["source_token_score"]), float(values["total_score"])
	scale := float(values["src_tok_saturation_scale"])
	saturated, bonus := tokens.Saturated(source, scale), tokens.Bonus(total)
	return []Formula{
		formulaOf("from source tokens", saturated, scoreDigits,
			call("x", num(tokens.MaxBase), call("-", num(1), call("e^", call("/", num(-source), num(scale)))))).
			noted(fmt.Sprintf("source token score %s, saturation scale %s, at most %d",
				short(source, scoreDigits), short(scale, scoreDigits), tokens.MaxBase)),
		formulaOf("bonus", bonus, roundedDigits,
			call("round2", call("x", num(tokens.MaxBonus), call("min", num(1), call("/", num(total), num(tokens.ScoreOfFullBonus)))))).
			noted(fmt.Sprintf("score of all files %s, at most %d", short(total, scoreDigits), tokens.MaxBonus)),
		formulaOf("base score", pull.BaseScore, roundedDigits, call("round2", call("+", num(saturated), num(bonus)))),
	}
}

// multiplierFormulas derive the multipliers that are computed: docs/rules/scoring.md#multipliers.
// That of the label is chosen, and has none.
func multiplierFormulas(pull *scoring.ScoredPullRequest) []Formula {
	var list []Formula
	if r := pull.Reasons.Issue; r != nil {
		chosen := 1.0
		switch {
		case r.ByMaintainer:
			chosen = r.Maintainer
		case r.Valid > 0:
			chosen = r.Standard
		}
		list = append(list, formulaOf("issue multiplier", pull.IssueMultiplier, roundedDigits, call("round2", num(chosen))).
			noted(fmt.Sprintf("%s, %d valid (1 without; %s with one, %s with one of a maintainer)",
				plural.Of(len(pull.Reasons.LinkedIssues), "linked issue"), r.Valid, short(r.Standard, scoreDigits), short(r.Maintainer, scoreDigits))))
	}
	if r := pull.Reasons.TimeDecay; r != nil {
		list = append(list, decayFormula("time decay", pull.TimeDecayMultiplier, r))
	}
	if r := pull.Reasons.Review; r != nil {
		list = append(list, reviewFormula("review quality", pull.ReviewQualityMultiplier, r))
	}
	return list
}

func decayFormula(name string, value float64, r *scoring.DecayReason) Formula {
	since := short(r.Hours, roundedDigits) + " hours since the merge"
	if r.Grace {
		return formulaOf(name, value, roundedDigits, num(1)).noted(fmt.Sprintf("%s, within the grace of %d", since, r.GraceHours))
	}
	const hoursPerDay = 24
	days := call("-", call("/", num(r.Hours), num(hoursPerDay)), num(r.Midpoint))
	sigmoid := call("/", num(1), call("+", num(1), call("e^", call("x", num(r.Steepness), days))))
	return formulaOf(name, value, roundedDigits, call("round2", call("max", called("minimum", r.MinMultiplier), sigmoid))).
		noted(fmt.Sprintf("%s (grace %d), midpoint %s days, steepness %s",
			since, r.GraceHours, short(r.Midpoint, scoreDigits), short(r.Steepness, scoreDigits)))
}

func reviewFormula(name string, value float64, r *scoring.ReviewReason) Formula {
	off := call("x", num(r.Rate), num(float64(r.ChangesRequested)))
	return formulaOf(name, value, roundedDigits, call("round2", call("max", num(0), call("-", num(1), off)))).
		noted("maintainers requested changes " + plural.Of(r.ChangesRequested, "time"))
}

// earnedFormula is what a merged pull request earns: docs/rules/scoring.md#evaluation.
func earnedFormula(pull *scoring.PullRequestOutcome) Formula {
	return formulaOf("earned", pull.EarnedScore, scoreDigits, call("x", called("base", pull.BaseScore),
		called("issue", pull.IssueMultiplier), called("label", pull.LabelMultiplier), called("open pull requests", pull.OpenPRSpamMultiplier),
		called("decay", pull.TimeDecayMultiplier), called("review", pull.ReviewQualityMultiplier)))
}

// collateralFormula is what an open pull request holds back: docs/rules/scoring.md#collateral.
// An outcome of an early version has no reason.
func collateralFormula(pull *scoring.PullRequestOutcome) Formula {
	c := pull.Collateral
	if c == nil {
		return formulaOf("collateral", pull.CollateralScore, scoreDigits, num(pull.CollateralScore))
	}
	review := call("min", num(scoring.MaxReviewCollateral), call("+", num(1), call("x", num(c.Rate), num(float64(c.ChangesRequested)))))
	return formulaOf("collateral", pull.CollateralScore, scoreDigits, call("x", called("base", pull.BaseScore),
		called("issue", pull.IssueMultiplier), called("label", pull.LabelMultiplier), review, called("percent", c.Percent))).
		noted("held back from the repository's score while it is open; maintainers requested changes " + plural.Of(c.ChangesRequested, "time"))
}

// float reads a value of a reason, 0 for one that is not there.
func float(text string) float64 {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return x
}

func shortText(text string) string { return short(float(text), scoreDigits) }
