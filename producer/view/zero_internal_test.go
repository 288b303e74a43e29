package view

import (
	"testing"

	"mirrorfleet/shared/scoring"
)

// A score of zero names the rule that makes it zero.
func TestAZeroNamesItsRule(t *testing.T) {
	t.Parallel()
	two, paid := 2, scoring.Gate{Code: scoring.GateOpen, SpamMultiplier: 1}
	spam := scoring.Gate{Code: scoring.GateOpen, Open: 3, OpenThreshold: &two}
	repository := func(g *scoring.Gate, f scoring.PullFigures) scoring.RepositoryOutcome {
		return scoring.RepositoryOutcome{PullGate: g, PullFigures: f}
	}
	for _, tt := range []struct {
		name string
		r    scoring.RepositoryOutcome
		want string
	}{
		{"nothing there", scoring.RepositoryOutcome{}, ""},
		{"it pays", repository(&paid, scoring.PullFigures{TotalMergedPRs: 1, TotalScore: 2}), ""},
		{"too few", repository(&scoring.Gate{Code: scoring.GateTooFew}, scoring.PullFigures{TotalMergedPRs: 1}), "too few merged"},
		{"credibility", repository(&scoring.Gate{Code: scoring.GateCredibility}, scoring.PullFigures{TotalClosedPRs: 1}), "credibility too low"},
		{"spam", repository(&spam, scoring.PullFigures{TotalMergedPRs: 1, TotalOpenPRs: 3, BaseTotalScore: 5}), "too many open"},
		{"collateral", repository(&paid, scoring.PullFigures{TotalMergedPRs: 1, BaseTotalScore: 1, TotalCollateralScore: 2}), "collateral takes all"},
		{"no base", repository(&paid, scoring.PullFigures{TotalMergedPRs: 1}), "no merged pull request scores"},
	} {
		if got := ZeroPulls(&tt.r); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	issues := scoring.RepositoryOutcome{IssueGate: &scoring.Gate{Code: scoring.GateTooFew}}
	if got := ZeroIssues(&issues); got != "too few valid solved" {
		t.Errorf("issues: got %q", got)
	}
	m := scoring.MinerOutcome{
		PullFigures: scoring.PullFigures{TotalMergedPRs: 2, TotalOpenPRs: 3, Eligible: true},
		Repositories: []scoring.RepositoryOutcome{
			repository(&spam, scoring.PullFigures{TotalMergedPRs: 1, TotalOpenPRs: 3}),
			repository(&scoring.Gate{Code: scoring.GateTooFew}, scoring.PullFigures{TotalMergedPRs: 1}),
		},
	}
	if got, want := ZeroNote(&m), "score 0: too many open, too few merged"; got != want {
		t.Errorf("the miner's line: got %q, want %q", got, want)
	}
	pull := scoring.PullRequestOutcome{}
	pull.BaseScore = 3
	if got, want := zeroOf(&pull, &spam), "the spam multiplier is 0, because 3 are open (maximum 2)"; got != want {
		t.Errorf("the pull request: got %q, want %q", got, want)
	}
}
