package page

import (
	"fmt"
	"slices"
	"strings"

	"mirrorfleet/shared/scoring"
)

// A page names the rule that makes a score zero: nobody is to guess it from figures.

// closedBy names the rule by which a gate pays nothing: one that is not passed, or so
// many open ones that the spam multiplier is zero; "" for a gate that pays.
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

// zeroPulls names what makes the score of a repository's pull requests zero, "" where it
// is not, or where there are none.
func zeroPulls(r *scoring.RepositoryOutcome) string {
	if r.PullGate == nil || r.TotalScore != 0 || r.TotalMergedPRs+r.TotalOpenPRs+r.TotalClosedPRs == 0 {
		return ""
	}
	switch rule := closedBy(r.PullGate, "merged"); {
	case rule != "":
		return rule
	case r.TotalCollateralScore > 0 && r.BaseTotalScore > 0:
		return "collateral takes all"
	}
	return "no merged one scores"
}

// zeroIssues is zeroPulls for issue discovery.
func zeroIssues(r *scoring.RepositoryOutcome) string {
	if r.IssueGate == nil || r.IssueDiscoveryScore != 0 {
		return ""
	}
	if rule := closedBy(r.IssueGate, "valid solved"); rule != "" {
		return rule
	}
	return "no solved one scores"
}

// zeroNote says why a miner's pull requests score zero; "" if they do not.
func zeroNote(m *scoring.MinerOutcome) string {
	if m.TotalScore != 0 {
		return ""
	}
	var rules []string
	for i := range m.Repositories {
		if rule := zeroPulls(&m.Repositories[i]); rule != "" && !slices.Contains(rules, rule) {
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

// inBrackets is a reason behind a score, "" without one.
func inBrackets(rule string) string {
	if rule == "" {
		return ""
	}
	return " (" + rule + ")"
}

// tooManyOpen is the spam rule with its figures.
func tooManyOpen(g *scoring.Gate) string {
	if g.OpenThreshold == nil {
		return "the spam multiplier is 0"
	}
	return fmt.Sprintf("the spam multiplier is 0, because %d are open (maximum %d)", g.Open, *g.OpenThreshold)
}

// zeroSide names why a miner gets nothing of a side's slice.
func zeroSide(m *scoring.MinerOutcome, repository string, rule func(*scoring.RepositoryOutcome) string) string {
	at := slices.IndexFunc(m.Repositories, func(r scoring.RepositoryOutcome) bool { return r.Repository == repository })
	if at >= 0 {
		if text := rule(&m.Repositories[at]); text != "" {
			return text
		}
	}
	return "nothing of this miner counts here"
}
