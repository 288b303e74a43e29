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
		p.textf(0, "Dropped: %s: %s", d.Reason.Code, gatesText(a.Derivation.Gates))
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
	printDerivation(p, a)
	printFiles(p, a)
}

// printDerivation prints the formulas in the order of the rules. Below a multiplier stand the
// labels or the issues that it was chosen from.
func printDerivation(p *page, a *view.PullRequest) {
	pull := &a.PullRequest.ScoredPullRequest
	for _, f := range a.Derivation.Formulas {
		if f.Name == "issue multiplier" {
			printLabels(p, pull)
			printFormula(p, 0, f)
			printLinked(p, pull)
			continue
		}
		printFormula(p, 0, f)
		if f.Name == "base score" {
			p.textf(2, "token score %s: %s for %s, %s for %s", brief(pull.TokenScore),
				brief(pull.StructuralScore), plural.Of(pull.StructuralCount, "structural node"),
				brief(pull.LeafScore), plural.Of(pull.LeafCount, "leaf node"))
		}
	}
	if a.Derivation.Zero != "" {
		p.painted(terminal.Warn, func() { p.textf(0, "earned 0: %s", a.Derivation.Zero) })
	}
	if len(a.Derivation.Gates) > 0 {
		p.textf(0, "gates of the repository: %s", gatesText(a.Derivation.Gates))
	}
	if len(a.Derivation.Waterfall) > 0 {
		p.blank()
		printWaterfall(p, "FROM BASE TO REWARD", a.Derivation.Waterfall)
	}
}

// printLabels prints every label with the reason why it counts or does not
// (docs/rules/scoring.md#label). Label is nil if none counts.
func printLabels(p *page, pull *scoring.ScoredPullRequest) {
	chosen := "no label counts"
	if pull.Label != nil {
		chosen = fmt.Sprintf("%q", *pull.Label)
	}
	p.textf(0, "label multiplier %s: %s", brief(pull.LabelMultiplier), chosen)
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
	for _, l := range pull.Reasons.LinkedIssues {
		by := ""
		if l.Maintainer {
			by = " of a maintainer"
		}
		p.textf(2, "#%d%s: %s", l.Number, by, because(l.Reason))
	}
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
