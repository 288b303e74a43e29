package tokens_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring/tokens"
)

// The node types that give the most come first, at most five of them, with what
// was added and deleted of each; those that give nothing are not among them.
// The weights of language and test apply to what they give.
func TestLargestContributions(t *testing.T) {
	t.Parallel()
	names := []string{"block", "name", "call", "space"}
	head := append(leaves("aab", 1), tokens.Node{Kind: 0}, tokens.Node{Kind: 0}, tokens.Node{Kind: 2, Leaf: true}, tokens.Node{Kind: 3, Leaf: true})
	base := append(leaves("cc", 1), tokens.Node{Kind: 0})
	got := tokens.TreeDiff(tokens.Collect("cc", base, kinds), tokens.Collect("aab", head, kinds), kinds, names)
	want := []tokens.Contribution{
		{Type: "block", Added: 1, Score: 2},
		{Type: "call", Leaf: true, Added: 1, Score: 0.7},
		{Type: "name", Leaf: true, Added: 3, Deleted: 2, Score: 0.5},
		{Type: "call", Added: 1, Score: 0.3},
	}
	near := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 })
	if d := cmp.Diff(want, got.Largest, near); d != "" {
		t.Errorf("contributions (-want +got):\n%s", d)
	}

	many, nodes := make([]tokens.KindWeights, 9), []tokens.Node{}
	names = nil
	for i := range many {
		many[i].Structural = 1 + float64(i)
		nodes = append(nodes, tokens.Node{Kind: uint16(i)})
		names = append(names, fmt.Sprint("kind", i))
	}
	diff := tokens.TreeDiff(nil, tokens.Collect("", nodes, many), many, names)
	if n := len(diff.Largest); n != 5 || diff.Largest[0].Type != "kind8" || diff.Largest[4].Type != "kind4" {
		t.Errorf("of nine types: %+v; want the five largest, from kind8 to kind4", diff.Largest)
	}
	plans := tokens.PlanFiles([]tokens.File{{Filename: "a_test.go", Status: "added", Changes: 1, Head: new("x")}}, parseDefaults(t))
	figures := plans[0].Finish(diff)
	sum := 0.0
	for _, c := range figures.Largest {
		sum += c.Score
	}
	if want := figures.Score * (9 + 8 + 7 + 6 + 5) / 45; sum-want > 1e-12 || want-sum > 1e-12 || diff.Largest[0].Score != 9 {
		t.Errorf("a test file's contributions give %v of %v, want %v, and the diff's own left as they were", sum, figures.Score, want)
	}
}
