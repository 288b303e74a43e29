package view

import (
	"fmt"
	"slices"
	"strings"

	"mirrorfleet/shared/scoring"
)

// An answer names the rule that makes a score zero, so that no reader has to derive it from
// numbers. The rules are those of docs/rules/scoring.md#evaluation.

// closedBy names the rule by which a gate pays nothing: a threshold that is not reached, or
// so many open pull requests or issues that the spam multiplier is zero; "" for a gate that
// pays. counted names what the gate counts.
func closedBy(g *scoring.Gate, counted string) string {
	switch {
	case g.Code == scoring.GateTooFew:
		return "too few " + counted
	case g.Code == scoring.GateCredibility:
		return "credibility too low"
	case g.Code == scoring.GateOpen && g.OpenThreshold != nil && g.SpamMultiplier == 0:
		return "too many open"
	}
	return ""
}

// ZeroPulls names what makes the score of a miner's pull requests in a repository zero; ""
// if the score is not zero, or if there are no pull requests.
func ZeroPulls(r *scoring.RepositoryOutcome) string {
	if r.PullGate == nil || r.TotalScore != 0 || r.TotalMergedPRs+r.TotalOpenPRs+r.TotalClosedPRs == 0 {
		return ""
	}
	switch rule := closedBy(r.PullGate, "merged"); {
	case rule != "":
		return rule
	case r.TotalCollateralScore > 0 && r.BaseTotalScore > 0:
		return "collateral takes all"
	}
	return "no merged pull request scores"
}

// ZeroIssues is ZeroPulls for issue discovery.
func ZeroIssues(r *scoring.RepositoryOutcome) string {
	if r.IssueGate == nil || r.IssueDiscoveryScore != 0 {
		return ""
	}
	if rule := closedBy(r.IssueGate, "valid solved"); rule != "" {
		return rule
	}
	return "no solved issue scores"
}

// ZeroNote says why all pull requests of a miner together score zero; "" if they do not,
// or if the miner has none.
func ZeroNote(m *scoring.MinerOutcome) string {
	if m.TotalScore != 0 {
		return ""
	}
	var rules []string
	for i := range m.Repositories {
		if rule := ZeroPulls(&m.Repositories[i]); rule != "" && !slices.Contains(rules, rule) {
			rules = append(rules, rule)
		}
	}
	text := strings.Join(rules, ", ")
	switch {
	case m.TotalMergedPRs+m.TotalOpenPRs+m.TotalClosedPRs == 0:
		return ""
	case text == "":
		return "none of its repositories is registered"
	case !m.Eligible:
		return "not eligible: " + text
	}
	return "score 0: " + text
}

// tooManyOpen is the spam rule with its numbers; without them for an outcome that has no
// threshold.
func tooManyOpen(g *scoring.Gate) string {
	if g.OpenThreshold == nil {
		return "the spam multiplier is 0"
	}
	return fmt.Sprintf("the spam multiplier is 0, because %d are open (maximum %d)", g.Open, *g.OpenThreshold)
}

// ZeroSide says why a miner gets nothing of one side's slice in a repository.
func ZeroSide(m *scoring.MinerOutcome, repository string, rule func(*scoring.RepositoryOutcome) string) string {
	at := slices.IndexFunc(m.Repositories, func(r scoring.RepositoryOutcome) bool { return r.Repository == repository })
	if at >= 0 {
		if text := rule(&m.Repositories[at]); text != "" {
			return text
		}
	}
	return "nothing of this miner counts here"
}

// zeroOf names the factor that makes a pull request earn 0. Time decay comes last: nothing
// else is left.
func zeroOf(pull *scoring.PullRequestOutcome, g *scoring.Gate) string {
	switch {
	case pull.OpenPRSpamMultiplier == 0:
		return tooManyOpen(g)
	case pull.BaseScore == 0:
		return "the base score is 0"
	case pull.LabelMultiplier == 0:
		return "the label multiplier is 0"
	case pull.ReviewQualityMultiplier == 0:
		return "the review multiplier is 0"
	}
	return "the time decay is 0"
}
