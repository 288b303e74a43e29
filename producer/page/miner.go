package page

import (
	"fmt"
	"io"
	"slices"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/terminal"
)

// Miner prints everything that a round says about a miner: what it lacks, its score by
// repository, and how its reward comes about.
func Miner(w io.Writer, a view.Miner) error {
	p, m := newPage(w), &a.Outcome
	p.titlef(fmt.Sprintf("Miner %d of round %s", a.UID, a.Round), fmt.Sprintf("as of %s, revision %d", a.AsOf, a.Revision))
	p.textf(0, "hotkey %s, GitHub id %s", m.Hotkey, m.GitHubID)
	if a.Trace != "" {
		p.textf(0, "trace %s", a.Trace)
	}
	printNotes(p, &a)
	if m.Failed == input.NoFailure {
		p.textf(0, "score %s, collateral %s, credibility %s; issues %s, credibility %s", brief(m.TotalScore),
			brief(m.TotalCollateralScore), brief(m.Credibility), brief(m.IssueDiscoveryScore), brief(m.IssueCredibility))
	}
	for _, name := range repositoriesOf(m) {
		p.blank()
		p.textf(0, "%s", name)
		printRepository(p, &a, name)
		printPulls(p, m, name)
		printIssues(p, m, name)
	}
	renderRewards(p, a.Rewards)
	printLevers(p, &a)
	return p.writeTo(w)
}

// printLevers names the command that finds what would raise the reward. The page has no levers
// itself: they take every miner's evaluation and dozens of conclusions, which is a second where
// this page takes one value (docs/run.md#what-would-change-it). A miner without an evaluation
// of this round has none.
func printLevers(p *page, a *view.Miner) {
	if a.Outcome.Failed != input.NoFailure || a.Outcome.FetchFailed {
		return
	}
	p.blank()
	p.textf(0, "producer what-if %s %d lists the single changes that would raise its reward most", a.Round, a.UID)
}

// printNotes prints what a reader must know before he believes the scores.
func printNotes(p *page, a *view.Miner) {
	for _, n := range a.Notes() {
		switch {
		case n.Label == "":
			p.textf(0, "%s", n.Text)
		case n.Bad:
			p.painted(terminal.Bad, func() { p.textf(0, "%s: %s", n.Label, n.Text) })
		default:
			p.painted(terminal.Warn, func() { p.textf(0, "%s: %s", n.Label, n.Text) })
		}
	}
}

// printMissing prints what the fleet could not get or could not score.
func printMissing(p *page, all []job.Missing) {
	for _, missing := range all {
		p.painted(terminal.Warn, func() { p.textf(0, "MISSING: %s (%s): %s", missing.What, missing.Cause, missing.Error) })
	}
}

// repositoriesOf lists every repository in which a miner has a pull request or an issue,
// by name.
func repositoriesOf(m *scoring.MinerOutcome) []string {
	var names []string
	for i := range m.Repositories {
		names = append(names, m.Repositories[i].Repository)
	}
	for _, name := range view.PullsOf(m) {
		names = append(names, name.Repository)
	}
	for i := range m.Issues {
		names = append(names, m.Issues[i].Repository)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// printRepository prints the gates of a miner in one repository, and how its scores there
// come about. An outcome has no gate where there is nothing to judge.
func printRepository(p *page, a *view.Miner, name string) {
	m := &a.Outcome
	at := slices.IndexFunc(m.Repositories, func(r scoring.RepositoryOutcome) bool { return r.Repository == name })
	if at < 0 {
		return
	}
	r, d := &m.Repositories[at], &a.Derivation[at]
	if r.PullGate != nil {
		p.textf(2, "pull requests: %s, score %s%s", r.PullGate.Code, brief(r.TotalScore), inBrackets(d.Pulls.Zero))
		printSide(p, d.Pulls)
	}
	switch {
	case r.IssueGate != nil:
		p.textf(2, "issues: %s, score %s%s", r.IssueGate.Code, brief(r.IssueDiscoveryScore), inBrackets(d.Issues.Zero))
		printSide(p, d.Issues)
	case r.TotalOpenIssues > 0:
		p.textf(2, "issues: %d open, none to judge", r.TotalOpenIssues)
	}
}

func printSide(p *page, d view.Derivation) {
	p.textf(4, "gates: %s", gatesText(d.Gates))
	printFormulas(p, 4, d.Formulas)
	printWaterfall(p, "FROM BASE TO REWARD", d.Waterfall)
}

const pullRow = "  %-6s %8s %8s %6s %6s %6s %6s %6s %11s"

// printPulls prints a line for each pull request of a repository.
func printPulls(p *page, m *scoring.MinerOutcome, name string) {
	header := false
	for i := range m.PullRequests {
		pull := &m.PullRequests[i]
		if pull.Repository != name {
			continue
		}
		if !header {
			header = true
			p.painted(terminal.Head, func() {
				p.linef(pullRow, "STATE", "NUMBER", "BASE", "ISSUE", "LABEL", "DECAY", "REVIEW", "SPAM", "EARNED")
			})
		}
		number := fmt.Sprintf("#%d", pull.Number)
		if !pull.Scored {
			p.linef("  %-6s %8s  not scored: %s", stateText(pull.State), number, pull.Reasons.Base.Code)
			continue
		}
		p.linef(pullRow, stateText(pull.State), number, two(pull.BaseScore), two(pull.IssueMultiplier), two(pull.LabelMultiplier),
			two(pull.TimeDecayMultiplier), two(pull.ReviewQualityMultiplier), two(pull.OpenPRSpamMultiplier), earnedText(pull))
	}
	for i := range m.Dropped {
		if d := &m.Dropped[i]; d.Repository == name {
			p.textf(2, "dropped #%d (%s): %s: %s", d.Number, stateText(d.State), d.Reason.Code, gatesText(view.DropGates(d)))
		}
	}
}

// earnedText is what a pull request adds to the score; for an open one, what it takes away
// as collateral (docs/rules/scoring.md#collateral).
func earnedText(pull *scoring.PullRequestOutcome) string {
	if pull.State == scoring.Open {
		return fmt.Sprintf("-%.4f", pull.CollateralScore)
	}
	return fmt.Sprintf("%.4f", pull.EarnedScore)
}

func two(x float64) string { return fmt.Sprintf("%.2f", x) }

func stateText(s scoring.State) string {
	switch s {
	case scoring.Merged:
		return "merged"
	case scoring.Open:
		return "open"
	case scoring.Closed:
		return "closed"
	}
	return string(s)
}

// printIssues prints each issue of a repository with its classification
// (docs/rules/scoring.md#classification) and its score.
func printIssues(p *page, m *scoring.MinerOutcome, name string) {
	for i := range m.Issues {
		issue := &m.Issues[i]
		if issue.Repository != name {
			continue
		}
		by := ""
		if issue.PullRequest > 0 {
			by = fmt.Sprintf(" by #%d", issue.PullRequest)
		}
		p.textf(2, "issue #%d %s%s: %s", issue.Number, issue.Classification, by, because(issue.Reason))
	}
}
