package page

import (
	"fmt"
	"io"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

// Pull prints one pull request in full: the reasons of its base score and multipliers, what
// it earns, and the scores of its files.
func Pull(w io.Writer, a view.PullRequest) error {
	p := newPage(w)
	switch {
	case a.Dropped != nil:
		d := a.Dropped
		p.titlef(fmt.Sprintf("%s#%d, %s", d.Repository, d.Number, stateText(d.State)), whoseText(&a))
		p.blank()
		p.textf(0, "Dropped: %s", because(d.Reason))
	default:
		printScored(p, &a)
	}
	return p.writeTo(w)
}

// whoseText names the miner and the round of the pull request.
func whoseText(a *view.PullRequest) string {
	return fmt.Sprintf("of miner %d in round %s", a.UID, a.Round)
}

func printScored(p *page, a *view.PullRequest) {
	pull := a.PullRequest
	p.titlef(fmt.Sprintf("%s#%d, %s", pull.Repository, pull.Number, stateText(pull.State)), whoseText(a))
	if pull.Title != "" {
		p.textf(0, "%q", pull.Title)
	}
	if !pull.CreatedAt.IsZero() {
		p.textf(0, "created %s", pull.CreatedAt.UTC().Format(instantLayout))
	}
	if !pull.MergedAt.IsZero() {
		p.textf(0, "merged %s", pull.MergedAt.UTC().Format(instantLayout))
	}
	printMissing(p, a.Missing)
	p.blank()
	if !pull.Scored {
		p.textf(0, "Not scored: %s", because(pull.Reasons.Base))
		return
	}
	p.textf(0, "Base score %s: %s", brief(pull.BaseScore), because(pull.Reasons.Base))
	p.textf(2, "token score %s: %s for %s, %s for %s", brief(pull.TokenScore),
		brief(pull.StructuralScore), plural.Of(pull.StructuralCount, "structural node"),
		brief(pull.LeafScore), plural.Of(pull.LeafCount, "leaf node"))
	printLabels(p, &pull.ScoredPullRequest)
	printLinked(p, &pull.ScoredPullRequest)
	printMergeMultipliers(p, &pull.ScoredPullRequest)
	printEarned(p, a)
	printFiles(p, a)
}

// printLabels prints every label with the reason why it counts or does not
// (docs/rules/scoring.md#label). Label is nil if none counts.
func printLabels(p *page, pull *scoring.ScoredPullRequest) {
	chosen := "no label counts"
	if pull.Label != nil {
		chosen = fmt.Sprintf("%q", *pull.Label)
	}
	p.textf(0, "Label multiplier %s: %s", brief(pull.LabelMultiplier), chosen)
	for _, l := range pull.Reasons.Labels {
		by, gives := "", ""
		if l.Association != "" {
			by = " by " + l.Association
		}
		if l.Multiplier != nil {
			gives = fmt.Sprintf(", pattern %q gives %s", l.Pattern, brief(*l.Multiplier))
		}
		p.textf(2, "%q%s: %s%s", l.Name, by, l.Code, gives)
	}
}

// printLinked prints every linked issue with the reason why it is valid or not
// (docs/rules/scoring.md#linked-issue).
func printLinked(p *page, pull *scoring.ScoredPullRequest) {
	chosen := ""
	if r := pull.Reasons.Issue; r != nil {
		chosen = fmt.Sprintf(", %d valid (1 without; %s with one, %s with one of a maintainer)", r.Valid, brief(r.Standard), brief(r.Maintainer))
	}
	p.textf(0, "Issue multiplier %s: %s%s", brief(pull.IssueMultiplier), plural.Of(len(pull.Reasons.LinkedIssues), "linked issue"), chosen)
	for _, l := range pull.Reasons.LinkedIssues {
		by := ""
		if l.Maintainer {
			by = " of a maintainer"
		}
		p.textf(2, "#%d%s: %s", l.Number, by, because(l.Reason))
	}
}

// printMergeMultipliers prints the two multipliers that only a merged pull request has
// (docs/rules/scoring.md#time-decay-and-review-quality).
func printMergeMultipliers(p *page, pull *scoring.ScoredPullRequest) {
	if d := pull.Reasons.TimeDecay; d != nil {
		p.textf(0, "Time decay %s: %s hours since the merge (grace %d), midpoint %s days, steepness %s, minimum %s",
			brief(pull.TimeDecayMultiplier), brief(d.Hours), d.GraceHours, brief(d.Midpoint), brief(d.Steepness), brief(d.MinMultiplier))
	}
	if r := pull.Reasons.Review; r != nil {
		p.textf(0, "Review quality %s: maintainers requested changes %s, %s off for each",
			brief(pull.ReviewQualityMultiplier), plural.Of(r.ChangesRequested, "time"), brief(r.Rate))
	}
}

// printEarned prints what the pull request adds to its repository's score, or takes away
// while it is open. An outcome has no gate for a repository that is not registered.
func printEarned(p *page, a *view.PullRequest) {
	pull := a.PullRequest
	if a.Gate != nil {
		p.textf(0, "Repository: %s", gateText(a.Gate, "merged"))
	}
	switch {
	case pull.State == scoring.Open:
		p.textf(0, "Collateral %s%s: held back from the repository's score while it is open", brief(pull.CollateralScore), collateralText(pull))
	case pull.State == scoring.Closed:
		p.textf(0, "Earned 0: it was closed without a merge, and counts against credibility")
	case a.Gate == nil:
		p.textf(0, "Earned 0: the repository is not registered")
	case a.Gate.Code != scoring.GateOpen:
		p.textf(0, "Earned 0: the repository does not pay this miner (%s)", a.Gate.Code)
	case pull.EarnedScore == 0:
		p.textf(0, "Earned 0: %s", zeroOf(pull, a.Gate))
	default:
		p.textf(0, "Earned %s = base %s x issue %s x label %s x spam %s x decay %s x review %s", brief(pull.EarnedScore),
			brief(pull.BaseScore), brief(pull.IssueMultiplier), brief(pull.LabelMultiplier), brief(pull.OpenPRSpamMultiplier),
			brief(pull.TimeDecayMultiplier), brief(pull.ReviewQualityMultiplier))
	}
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

// collateralText prints the factors of a collateral; "" for an outcome that does not have
// them.
func collateralText(pull *scoring.PullRequestOutcome) string {
	c := pull.Collateral
	if c == nil {
		return ""
	}
	return fmt.Sprintf(" = base %s x issue %s x label %s x review %s (maintainers requested changes %s, %s more for each) x percent %s",
		brief(pull.BaseScore), brief(pull.IssueMultiplier), brief(pull.LabelMultiplier), brief(c.ReviewMultiplier),
		plural.Of(c.ChangesRequested, "time"), brief(c.Rate), brief(c.Percent))
}

// printFiles prints the scores of the files, or why there are none.
func printFiles(p *page, a *view.PullRequest) {
	p.blank()
	if a.NoFiles != "" {
		p.textf(0, "No file scores: %s", a.NoFiles)
		return
	}
	files := a.PullRequest.Tokens.Files
	p.textf(0, "%s", plural.Of(len(files), "file"))
	for i := range files {
		f := &files[i]
		p.textf(2, "%s", f.Filename)
		p.textf(4, "%s, %s: %s, %s, score %s", f.Method, f.Category, plural.Of(f.Nodes, "node"), plural.Of(f.Lines, "line"), brief(f.Score))
		if f.OutOfTime {
			p.painted(terminal.Warn, func() { p.textf(4, "OUT OF TIME: base or head took too long to parse, and has no nodes here") })
		}
		if b := f.Breakdown; b != nil {
			p.textf(4, "structural +%d (%s) -%d (%s), leaves +%d (%s) -%d (%s)",
				b.StructuralAddedCount, brief(b.StructuralAddedScore), b.StructuralDeletedCount, brief(b.StructuralDeletedScore),
				b.LeafAddedCount, brief(b.LeafAddedScore), b.LeafDeletedCount, brief(b.LeafDeletedScore))
		}
		for _, c := range f.Largest {
			kind := "structural"
			if c.Leaf {
				kind = "leaf"
			}
			p.textf(4, "%s %s: +%d -%d give %s", kind, c.Type, c.Added, c.Deleted, brief(c.Score))
		}
	}
}
