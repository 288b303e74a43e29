package tokens_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring/tokens"
)

// kinds 0 to 3: structural alone, leaf alone, both, neither.
var kinds = []tokens.KindWeights{{Structural: 2}, {Leaf: 0.1}, {Structural: 0.3, Leaf: 0.7}, {}}

func leaves(text string, kind uint16) []tokens.Node {
	nodes := make([]tokens.Node, len(text))
	for i := range nodes {
		nodes[i] = tokens.Node{Start: uint32(i), End: uint32(i + 1), Kind: kind, Leaf: true}
	}
	return nodes
}

func diff(base string, baseNodes []tokens.Node, head string, headNodes []tokens.Node) tokens.Breakdown {
	return breakdown(tokens.Collect(base, baseNodes, kinds), tokens.Collect(head, headNodes, kinds), kinds)
}

func breakdown(base, head *tokens.Signatures, weights []tokens.KindWeights) tokens.Breakdown {
	return tokens.TreeDiff(base, head, weights, nil).Breakdown
}

// Multisets are subtracted both ways: copies count, order and place do not, a
// leaf's bytes do, and leaves without weight count as nodes.
func TestTreeDiff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ got, want tokens.Breakdown }{
		"nothing":     {breakdown(nil, nil, kinds), tokens.Breakdown{}},
		"moved":       {diff("abc", leaves("abc", 1), "cab", leaves("cab", 1)), tokens.Breakdown{}},
		"copies":      {diff("aab", leaves("aab", 1), "abbb", leaves("abbb", 1)), tokens.Breakdown{LeafAddedCount: 2, LeafAddedScore: 0.2, LeafDeletedCount: 1, LeafDeletedScore: 0.1}},
		"other kind":  {diff("a", leaves("a", 1), "a", leaves("a", 3)), tokens.Breakdown{LeafAddedCount: 1, LeafDeletedCount: 1, LeafDeletedScore: 0.1}},
		"both":        {diff("", nil, "x", leaves("x", 2)), tokens.Breakdown{StructuralAddedCount: 1, StructuralAddedScore: 0.3, LeafAddedCount: 1, LeafAddedScore: 0.7}},
		"structural":  {diff("", []tokens.Node{{Kind: 0}, {Kind: 0}}, "", []tokens.Node{{Kind: 0}}), tokens.Breakdown{StructuralDeletedCount: 1, StructuralDeletedScore: 2}},
		"weightless":  {diff("", nil, "q", []tokens.Node{{Kind: 3}, {Kind: 3, Leaf: true, End: 1}}), tokens.Breakdown{LeafAddedCount: 1}},
		"empty bytes": {diff("", nil, "", []tokens.Node{{Kind: 1, Leaf: true}, {Kind: 1, Leaf: true}}), tokens.Breakdown{LeafAddedCount: 2, LeafAddedScore: 0.2}},
		"past the end": {diff("", nil, "ab", []tokens.Node{{Kind: 1, Leaf: true, Start: 1, End: 9}, {Kind: 1, Leaf: true, Start: 7, End: 9}}),
			tokens.Breakdown{LeafAddedCount: 2, LeafAddedScore: 0.2}},
	} {
		if d := cmp.Diff(tt.want, tt.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// Thousands of distinct signatures grow the table; every one is found again.
func TestManySignatures(t *testing.T) {
	t.Parallel()
	var text []byte
	var nodes []tokens.Node
	for i := range 20_000 {
		start := uint32(len(text))
		text = append(text, byte(i), byte(i>>8), byte(i>>16))
		nodes = append(nodes, tokens.Node{Start: start, End: start + 3, Kind: 1, Leaf: true})
	}
	s := tokens.Collect(string(text), nodes, kinds)
	if got := breakdown(s, tokens.Collect(string(text), nodes, kinds), kinds); got != (tokens.Breakdown{}) {
		t.Errorf("equal texts differ by %+v", got)
	}
	if got := breakdown(nil, s, kinds).LeafAddedCount; got != 20_000 {
		t.Errorf("%d leaves, want 20000", got)
	}
}

// Sums are taken in the order of first appearance on the side they are left on:
// another order gives another last bit, which this shows.
func TestSumsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	weights := []tokens.KindWeights{{Leaf: 0.1}, {Leaf: 0.2}, {Leaf: 0.3}}
	sum := func(order ...uint16) float64 {
		var nodes []tokens.Node
		for _, kind := range order {
			nodes = append(nodes, tokens.Node{Kind: kind, Leaf: true})
		}
		return breakdown(nil, tokens.Collect("", nodes, weights), weights).LeafAddedScore
	}
	a := 0.1
	b := 0.2
	c := 0.3 // variables: constants would be summed exactly
	if got, want := sum(0, 1, 2), a+b+c; got != want {
		t.Errorf("0.1, 0.2, 0.3 in order: %v, want %v", got, want)
	}
	if got, want := sum(2, 1, 0), c+b+a; got != want {
		t.Errorf("0.3, 0.2, 0.1 in order: %v, want %v", got, want)
	}
	if sum(0, 1, 2) == sum(2, 1, 0) {
		t.Error("both orders give the same sum: this test shows nothing")
	}
}

// A pull request's figures: token figures over tree diffs alone, the source
// score without test files, the total over all.
func TestTotals(t *testing.T) {
	t.Parallel()
	plans := tokens.PlanFiles([]tokens.File{
		{Filename: "a.go", Status: "added", Changes: 1, Head: new("x")},
		{Filename: "a_test.go", Status: "added", Changes: 1, Head: new("x")},
		{Filename: "b.yml", Status: "added", Changes: 10},
	}, parseDefaults(t))
	raw := tokens.Breakdown{StructuralAddedCount: 1, StructuralAddedScore: 2, LeafAddedCount: 3, LeafAddedScore: 0.5, LeafDeletedCount: 2, LeafDeletedScore: 0.25}
	files := make([]tokens.FileFigures, len(plans))
	for i := range plans {
		files[i] = plans[i].Finish(tokens.Diff{Breakdown: raw})
	}
	got := tokens.Totals(files)
	want := tokens.Figures{
		Files:      files,
		TotalScore: 5.5 + 0.275 + 10, TokenScore: 5.775, SourceTokenScore: 5.5,
		StructuralCount: 2, StructuralScore: 4.2, LeafCount: 10, LeafScore: 1 + 0.05 + 0.5 + 0.025, TotalNodesScored: 12,
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 })); d != "" {
		t.Errorf("totals (-want +got):\n%s", d)
	}
	if files[2].Breakdown != nil || files[0].Nodes != 6 {
		t.Errorf("files %+v; want a breakdown for tree diffs alone, and 6 nodes", files)
	}
}

// The base score saturates at 25, its bonus at 5.
func TestBaseScore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		figures tokens.Figures
		scale   float64
		want    float64
	}{
		{tokens.Figures{}, 58, 0},
		{tokens.Figures{SourceTokenScore: 58}, 58, 15.8},
		{tokens.Figures{SourceTokenScore: 58, TotalScore: 750}, 58, 18.3},
		{tokens.Figures{SourceTokenScore: 1e9, TotalScore: 1e9}, 58, 30},
		{tokens.Figures{SourceTokenScore: 58}, 500, 2.74},
		{tokens.Figures{TotalScore: 4.5}, 58, 0.01}, // round2 of 0.015, which lies below its half
	} {
		if got := tokens.BaseScore(&tt.figures, tt.scale); got != tt.want {
			t.Errorf("base score of %+v at %v: %v, want %v", tt.figures, tt.scale, got, tt.want)
		}
	}
}

func TestTimedOut(t *testing.T) {
	t.Parallel()
	got := tokens.TimedOut([]tokens.File{{Filename: "tests/a.go", Status: "removed", Changes: 3, Deletions: 2}, {Filename: "b.md", Changes: 4}})
	want := tokens.Figures{Files: []tokens.FileFigures{
		{
			Filename: "tests/a.go", Change: tokens.Change{Status: "removed", Deletions: 2, Changes: 3},
			Method: tokens.MethodSkippedTimeout, Category: tokens.CategoryNonCode, Lines: 3,
		},
		{
			Filename: "b.md", Change: tokens.Change{Changes: 4},
			Method: tokens.MethodSkippedTimeout, Category: tokens.CategoryNonCode, Lines: 4,
		},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("timed out (-want +got):\n%s", d)
	}
}
