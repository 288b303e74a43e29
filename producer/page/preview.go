package page

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"

	"mirrorfleet/producer/preview"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/terminal"
)

// maxFiles is how many files a preview lists: those with the highest scores.
const maxFiles = 20

// Preview prints what a round would make of a change: its files by method and language,
// the files that score most, how the base score comes about, and the gates.
func Preview(w io.Writer, a preview.Preview) error {
	head := newPage(w)
	sums := newPage(w)
	gates := newPage(w)
	head.titlef("Preview for "+a.Repository, fmt.Sprintf("%s since %.12s", plural.Of(a.Commits.Count, "commit"), a.Commits.MergeBase))
	if a.Lacks != "" {
		head.painted(terminal.Bad, func() { head.textf(0, "NOT SCORED WHOLE: %s", a.Lacks) })
	}
	head.blank()
	if len(a.Groups) == 0 {
		head.textf(0, "The change has no files.")
	}
	printUnloadable(sums, a.Groups)
	sums.blank()
	printBase(sums, &a)
	printWorth(sums, &a)
	gates.blank()
	printGates(gates, a.Gates)
	for _, write := range []func(io.Writer) error{head.writeTo, groupTable(a.Groups), sums.writeTo, filesTable(&a), gates.writeTo} {
		if err := write(w); err != nil {
			return err
		}
	}
	return nil
}

// groupTable writes a row for each method and language, and one for all.
func groupTable(groups []preview.Group) func(io.Writer) error {
	if len(groups) == 0 {
		return func(io.Writer) error { return nil }
	}
	table := terminal.Table{Columns: []terminal.Column{
		{Title: "METHOD", Text: true}, {Title: "LANGUAGE", Text: true}, {Title: "FILES"}, {Title: "LINES"}, {Title: "NODES"}, {Title: "SCORE"},
	}}
	row := func(method, language string, g *preview.Group) {
		table.Add(method, language, strconv.Itoa(g.Files), strconv.Itoa(g.Lines), strconv.Itoa(g.Nodes), plain(g.Score))
	}
	var all preview.Group
	for i := range groups {
		g := &groups[i]
		row(string(g.Method), cmp.Or(g.Language, "none"), g)
		all.Files += g.Files
		all.Lines += g.Lines
		all.Nodes += g.Nodes
		all.Score += g.Score
	}
	if len(groups) > 1 {
		row("all", "", &all)
	}
	return table.Write
}

// printUnloadable names the languages that give no nodes: docs/rules/grammars.md#c.
func printUnloadable(p *page, groups []preview.Group) {
	for i := range groups {
		if groups[i].Unloadable {
			p.painted(terminal.Warn, func() {
				p.textf(0, "NOTE: the validator cannot load %s, so its files have no nodes", groups[i].Language)
			})
		}
	}
}

// printBase prints how the base score comes about: docs/rules/scoring.md#totals.
func printBase(p *page, a *preview.Preview) {
	if f := a.Tokens; f != nil {
		p.textf(0, "Token score %s: %s for %s, %s for %s. Source files alone have %s of it.", plain(f.TokenScore),
			plain(f.StructuralScore), plural.Of(f.StructuralCount, "structural node"),
			plain(f.LeafScore), plural.Of(f.LeafCount, "leaf node"), plain(f.SourceTokenScore))
	}
	if !a.Scored {
		p.painted(terminal.Bad, func() { p.textf(0, "Not scored: %s", because(a.Base)) })
		return
	}
	switch f := a.Formula; {
	case a.Base.Code == scoring.BaseFixed:
		p.textf(0, "Base score %s: fixed by the registry", plain(a.BaseScore))
	case f != nil:
		p.textf(0, "Base score %s = base %s + bonus %s, to two decimals", plain(f.Score), plain(f.Base), plain(f.Bonus))
		p.textf(2, "base %s = %d x (1 - e^(-%s / %s)): source token score, src_tok_saturation_scale",
			plain(f.Base), tokens.MaxBase, plain(f.SourceTokenScore), plain(f.Scale))
		p.textf(2, "bonus %s = %d x min(1, %s / %d), to two decimals: total score",
			plain(f.Bonus), tokens.MaxBonus, plain(f.TotalScore), tokens.ScoreOfFullBonus)
	}
}

// printWorth prints the multipliers that are known, and what follows from them.
func printWorth(p *page, a *preview.Preview) {
	if !a.Scored {
		return
	}
	label := "no label that counts"
	if a.Label != nil {
		label = fmt.Sprintf("%q, as --label has it", *a.Label)
	}
	issue := "no linked issue"
	if r := a.Issue; r != nil && r.Valid > 0 {
		issue = "one valid linked issue"
		if r.ByMaintainer {
			issue += " of a maintainer"
		}
	}
	p.textf(0, "Issue multiplier %s: %s", plain(a.IssueMultiplier), issue)
	p.textf(0, "Label multiplier %s: %s", plain(a.LabelMultiplier), label)
	p.textf(0, "Once merged it earns %s = base %s x issue %s x label %s, if every factor that is not known is 1",
		plain(a.Earned), plain(a.BaseScore), plain(a.IssueMultiplier), plain(a.LabelMultiplier))
	p.textf(0, "While it is open it holds back %s = base %s x issue %s x label %s x percent %s",
		plain(a.Collateral), plain(a.BaseScore), plain(a.IssueMultiplier), plain(a.LabelMultiplier), plain(a.Rates.Percent))
}

// filesTable writes the files with the highest scores; nothing without files.
func filesTable(a *preview.Preview) func(io.Writer) error {
	return func(w io.Writer) error {
		if a.Tokens == nil || len(a.Tokens.Files) == 0 {
			return nil
		}
		files := slices.Clone(a.Tokens.Files)
		slices.SortStableFunc(files, func(a, b tokens.FileFigures) int { return cmp.Compare(b.Score, a.Score) })
		shown := files[:min(maxFiles, len(files))]
		table := terminal.Table{Columns: []terminal.Column{
			{Title: "FILE", Text: true}, {Title: "METHOD", Text: true, Whole: true}, {Title: "LINES"}, {Title: "NODES"}, {Title: "SCORE"},
		}}
		for i := range shown {
			f := &shown[i]
			method := string(f.Method)
			if f.Test {
				method += ", test"
			}
			table.Add(f.Filename, method, strconv.Itoa(f.Lines), strconv.Itoa(f.Nodes), plain(f.Score))
		}
		before, after := newPage(w), newPage(w)
		before.blank()
		if more := len(files) - len(shown); more > 0 {
			after.textf(0, "and %s with lower scores (--json has all)", plural.Of(more, "file"))
		}
		for _, write := range []func(io.Writer) error{before.writeTo, table.Write, after.writeTo} {
			if err := write(w); err != nil {
				return err
			}
		}
		return nil
	}
}

// printGates prints the gates that were judged, and then those that only a pull request
// decides.
func printGates(p *page, gates []preview.Gate) {
	width := 0
	for i := range gates {
		width = max(width, len(gates[i].Name))
	}
	colours := map[preview.State]terminal.Colour{preview.Passed: terminal.Good, preview.Failed: terminal.Bad}
	p.headingf("Gates")
	for _, g := range gates {
		if g.State != preview.Unknown {
			p.painted(colours[g.State], func() {
				p.hangf(fmt.Sprintf("  %-*s  %-6s  ", width, g.Name, g.State), "%s (required: %s)", g.Value, g.Required)
			})
		}
	}
	p.blank()
	p.headingf("Not known before the pull request")
	for _, g := range gates {
		if g.State == preview.Unknown {
			p.hangf(fmt.Sprintf("  %-*s  ", width, g.Name), "%s", g.Required)
		}
	}
}

// plain prints a number with at most 6 significant digits, as people read it.
func plain(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
