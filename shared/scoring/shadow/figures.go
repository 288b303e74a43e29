package shadow

import (
	"fmt"
	"strconv"

	"mirrorfleet/shared/scoring"
)

// The rules by which figures are computed, as docs/conform.md#rules-and-their-names has them.
const (
	ruleMiners      = "miners"
	ruleGate        = "merge gate"
	ruleTokens      = "token score"
	ruleBase        = "base score"
	ruleLabel       = "label"
	ruleLinked      = "linked issue"
	ruleDecay       = "time decay"
	ruleReview      = "review quality"
	ruleCollateral  = "collateral"
	ruleEligibility = "eligibility"
	ruleSpam        = "open pull requests"
	ruleEarned      = "earned score"
	ruleRepository  = "sums of a repository"
	ruleMiner       = "sums of a miner"
	ruleOpenIssues  = "open issues"
	ruleClasses     = "classification of issues"
	ruleValid       = "valid issues"
	ruleIssueGate   = "issue eligibility"
	ruleOwner       = "canonical owner"
	ruleSolving     = "solving score"
	ruleIssueSum    = "issue token score"
	ruleIssueSpam   = "open issue threshold"
	ruleEarnings    = "issue earnings"
	ruleRewards     = "rewards"
)

// computed is the order in which a round computes figures. A figure that differs changes the
// figures of later rules, so the first one names the rule.
var computed = []string{ //nolint:gochecknoglobals // a table
	ruleMiners, ruleGate, ruleTokens, ruleBase, ruleLabel, ruleLinked, ruleDecay, ruleReview, ruleCollateral, ruleEligibility, ruleSpam,
	ruleEarned, ruleRepository, ruleMiner, ruleOpenIssues, ruleClasses, ruleValid, ruleIssueGate, ruleOwner, ruleSolving, ruleIssueSum,
	ruleIssueSpam, ruleEarnings, ruleRewards,
}

// Difference is one figure that is not the same.
type Difference struct {
	Rule   string `json:"rule"`
	Figure string `json:"figure"`
	Ours   string `json:"ours"` // "" where there is no such figure
	Theirs string `json:"validators"`
}

// figures are all figures of one miner, in texts that differ exactly if the numbers do.
type figures struct {
	names  []string
	rules  map[string]string
	values map[string]string
	// times counts the figures of a name: a list may have one thing twice.
	times map[string]int
	// absent names the rule by which a figure is missing, where that is another rule than its own.
	absent map[string]string
}

func (f *figures) text(rule, at, name, value string) {
	name = at + name
	f.times[name]++
	if n := f.times[name]; n > 1 {
		name = fmt.Sprintf("%s (%d)", name, n)
	}
	f.names = append(f.names, name)
	f.rules[name], f.values[name] = rule, value
}

func (f *figures) num(rule, at, name string, value float64) {
	f.text(rule, at, name, strconv.FormatFloat(value, 'g', -1, 64))
}

func (f *figures) count(rule, at, name string, value int) {
	f.text(rule, at, name, strconv.Itoa(value))
}

func (f *figures) flag(rule, at, name string, value bool) {
	f.text(rule, at, name, strconv.FormatBool(value))
}

func figuresOf(m *scoring.MinerOutcome, reward float64) *figures {
	f := &figures{
		rules:  map[string]string{},
		values: map[string]string{},
		times:  map[string]int{},
		absent: map[string]string{},
	}
	f.text(ruleMiners, "", "failed", string(m.Failed))
	f.text(ruleMiners, "", "github_id", m.GitHubID)
	for i := range m.PullRequests {
		f.pull(&m.PullRequests[i])
	}
	for i := range m.Repositories {
		r := &m.Repositories[i]
		at := r.Repository + " "
		f.pulls(at, ruleRepository, &r.PullFigures)
		f.issues(at, &r.IssueFigures)
		f.count(ruleGate, at, "total_merged_prs", r.TotalMergedPRs)
		f.count(ruleGate, at, "total_open_prs", r.TotalOpenPRs)
		f.count(ruleGate, at, "total_closed_prs", r.TotalClosedPRs)
	}
	for i := range m.ScoredIssues {
		f.issue(&m.ScoredIssues[i])
	}
	f.pulls("", ruleMiner, &m.PullFigures)
	f.issues("", &m.IssueFigures)
	f.num(ruleRewards, "", "reward", reward)
	return f
}

func (f *figures) pull(p *scoring.PullRequestOutcome) {
	at := fmt.Sprintf("%s#%d ", p.Repository, p.Number)
	f.text(ruleGate, at, "state", string(p.State))
	f.count(ruleTokens, at, "structural_count", p.StructuralCount)
	f.num(ruleTokens, at, "structural_score", p.StructuralScore)
	f.count(ruleTokens, at, "leaf_count", p.LeafCount)
	f.num(ruleTokens, at, "leaf_score", p.LeafScore)
	f.count(ruleTokens, at, "total_nodes_scored", p.TotalNodesScored)
	f.num(ruleTokens, at, "token_score", p.TokenScore)
	f.num(ruleBase, at, "base_score", p.BaseScore)
	label := ""
	if p.Label != nil {
		label = *p.Label
	}
	f.text(ruleLabel, at, "label", label)
	f.num(ruleLabel, at, "label_multiplier", p.LabelMultiplier)
	f.num(ruleLinked, at, "issue_multiplier", p.IssueMultiplier)
	f.num(ruleDecay, at, "time_decay_multiplier", p.TimeDecayMultiplier)
	f.num(ruleReview, at, "review_quality_multiplier", p.ReviewQualityMultiplier)
	f.num(ruleCollateral, at, "collateral_score", p.CollateralScore)
	f.num(ruleSpam, at, "open_pr_spam_multiplier", p.OpenPRSpamMultiplier)
	f.num(ruleEarned, at, "earned_score", p.EarnedScore)
}

// pulls are the figures of pull requests, of a repository or of all.
func (f *figures) pulls(at, rule string, p *scoring.PullFigures) {
	f.flag(ruleEligibility, at, "is_eligible", p.Eligible)
	f.num(ruleEligibility, at, "credibility", p.Credibility)
	f.num(rule, at, "base_total_score", p.BaseTotalScore)
	f.num(rule, at, "total_collateral_score", p.TotalCollateralScore)
	f.num(rule, at, "total_score", p.TotalScore)
	f.count(rule, at, "total_nodes_scored", p.TotalNodesScored)
	f.num(rule, at, "total_token_score", p.TotalTokenScore)
	f.count(rule, at, "total_structural_count", p.TotalStructuralCount)
	f.num(rule, at, "total_structural_score", p.TotalStructuralScore)
	f.count(rule, at, "total_leaf_count", p.TotalLeafCount)
	f.num(rule, at, "total_leaf_score", p.TotalLeafScore)
}

func (f *figures) issues(at string, i *scoring.IssueFigures) {
	f.count(ruleOpenIssues, at, "total_open_issues", i.TotalOpenIssues)
	f.count(ruleClasses, at, "total_closed_issues", i.TotalClosedIssues)
	f.count(ruleClasses, at, "total_solved_issues", i.TotalSolvedIssues)
	f.count(ruleValid, at, "total_valid_solved_issues", i.TotalValidSolvedIssues)
	f.num(ruleIssueGate, at, "issue_credibility", i.IssueCredibility)
	f.flag(ruleIssueGate, at, "is_issue_eligible", i.IssueEligible)
	f.num(ruleIssueSum, at, "issue_token_score", i.IssueTokenScore)
	f.num(ruleEarnings, at, "issue_discovery_score", i.IssueDiscoveryScore)
}

func (f *figures) issue(i *scoring.ScoredIssue) {
	at, before := fmt.Sprintf("%s issue #%d ", i.Repository, i.Number), len(f.names)
	f.count(ruleOwner, at, "pr_number", i.PullRequest)
	f.num(ruleSolving, at, "discovery_base_score", i.BaseScore)
	f.num(ruleLabel, at, "discovery_label_multiplier", i.LabelMultiplier)
	f.num(ruleDecay, at, "discovery_time_decay_multiplier", i.TimeDecayMultiplier)
	f.num(ruleReview, at, "discovery_review_quality_multiplier", i.ReviewQualityMultiplier)
	f.num(ruleEarnings, at, "discovery_credibility_multiplier", i.CredibilityMultiplier)
	f.num(ruleIssueSpam, at, "discovery_open_issue_spam_multiplier", i.OpenSpamMultiplier)
	f.num(ruleEarnings, at, "discovery_earned_score", i.EarnedScore)
	for _, name := range f.names[before:] {
		f.absent[name] = ruleOwner
	}
}

// apart lists what is not the same, in the order of computation.
func apart(ours, theirs *figures) []Difference {
	byRule := map[string][]Difference{}
	note := func(of *figures, name string) {
		mine, there := ours.values[name]
		others, known := theirs.values[name]
		rule := of.rules[name]
		if instead := of.absent[name]; there != known && instead != "" {
			rule = instead
		}
		if mine != others || there != known {
			byRule[rule] = append(byRule[rule], Difference{rule, name, mine, others})
		}
	}
	for _, name := range ours.names {
		note(ours, name)
	}
	for _, name := range theirs.names {
		if _, there := ours.values[name]; !there {
			note(theirs, name)
		}
	}
	var list []Difference
	for _, rule := range computed {
		list = append(list, byRule[rule]...)
	}
	return list
}
