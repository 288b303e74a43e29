package page

import (
	"fmt"
	"strings"
	"testing"

	"mirrorfleet/producer/preview"
	"mirrorfleet/shared/gitdiff"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// previewInput is a large change with a file of each kind, among them one whose name
// would control a terminal.
func previewInput(t *testing.T, settings string) preview.Input {
	t.Helper()
	registry := must.Get(input.ParseRegistry([]byte(`{"acme/widgets": {` + settings + `}}`)))(t)
	weights := must.Get(tokens.ParseWeights(tokens.DefaultWeights()))(t)
	file := func(name string, structural, leaf int, test bool) tokens.FileFigures {
		f := tokens.FileFigures{Filename: name, Method: tokens.MethodTreeDiff, Category: tokens.CategorySource, Test: test, Lines: structural + leaf}
		b := tokens.Breakdown{StructuralAddedCount: structural, StructuralAddedScore: 1.25 * float64(structural), LeafAddedCount: leaf, LeafAddedScore: 0.07 * float64(leaf)}
		if test {
			f.Category = tokens.CategoryTest
			b.StructuralAddedScore *= 0.05
			b.LeafAddedScore *= 0.05
		}
		f.Breakdown = &b
		f.Score, f.Nodes = b.Score(), structural+leaf
		return f
	}
	files := []tokens.FileFigures{
		file("Program.cs", 0, 0, false),
		{Filename: "README.md", Method: tokens.MethodLineCount, Category: tokens.CategoryNonCode, Lines: 40, Nodes: 40, Score: 3.2},
		file("a/very/long/path/that/does/not/fit/into/a/line/of/a/terminal/of/eighty/columns/server.go", 20, 310, false),
		{Filename: "gone.go", Method: tokens.MethodSkipped, Category: tokens.CategoryNonCode, Lines: 12},
		{Filename: "logo.png", Method: tokens.MethodSkippedBinary, Category: tokens.CategoryNonCode},
		file("red\x1b[31m\n.go", 3, 17, false),
		file("server_test.go", 44, 720, true),
	}
	for i := range 20 {
		files = append(files, file(fmt.Sprintf("pages/page%02d.ts", i), 1+i%3, 10+i, false))
	}
	figures := tokens.Totals(files)
	return preview.Input{
		Repository: &registry.Repositories[0],
		Weights:    must.Get(weights.Without([]string{"csharp"}))(t),
		Range:      gitdiff.Range{Base: strings.Repeat("b", 40), Head: strings.Repeat("d", 40), MergeBase: strings.Repeat("c", 40), Commits: 3},
		Figures:    &figures,
	}
}

// The pages of a preview: with everything that can be said, with nothing to score, and of
// a repository with a fixed base score whose files ran out of time.
func TestPreviewPages(t *testing.T) {
	t.Parallel()
	whole := previewInput(t, `"emission_share": 0.3, "label_multipliers": {"bug*": 1.5}, "additional_acceptable_branches": ["release/*"]`)
	whole.Foreign = []string{"latin\x1b[1m.py"}
	whole.Assumed = preview.Assumed{Labels: []string{"Bugfix", "\x1b]0;title\a"}, Issue: preview.MaintainerIssue}
	empty := previewInput(t, `"emission_share": 0`)
	empty.Figures, empty.Range.Commits = nil, 1
	fixed := previewInput(t, `"emission_share": 0.1, "fixed_base_score": 7.5`)
	fixed.Figures = new(tokens.TimedOut([]tokens.File{{Filename: "slow.go", Status: "added", Additions: 9, Changes: 9}}))
	fixed.Lacks = "slow.go: the budget of 10s of processor time is spent"
	for name, in := range map[string]preview.Input{"whole": whole, "empty": empty, "fixed": fixed} {
		goldenLong(t, "preview/"+name, "Preview", preview.Of(in), Preview)
	}
}
