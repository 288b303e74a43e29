package tokens_test

import (
	"math"
	"strings"
	"testing"

	"mirrorfleet/shared/scoring/tokens"
)

// Figures that no text can have are refused, whichever of the numbers it is; true
// ones are not, up to the rounding of their sums.
func TestImpossibleFigures(t *testing.T) {
	t.Parallel()
	languages, _ := tokens.DefaultWeights()
	w, err := tokens.ParseWeights(languages, []byte(`{"structural_bonus": {"block": 2, "free": 0}, "leaf_tokens": {"name": 0.1}}`))
	if err != nil {
		t.Fatal(err)
	}
	whole := func() *tokens.Diff {
		return &tokens.Diff{
			Breakdown: tokens.Breakdown{
				StructuralAddedCount: 3, StructuralAddedScore: 6, StructuralDeletedCount: 2, StructuralDeletedScore: 2,
				LeafAddedCount: 3, LeafAddedScore: 0.1 + 0.1 + 0.1, LeafDeletedCount: 1,
			},
			Largest: []tokens.Contribution{{Type: "block", Added: 3, Deleted: 1, Score: 8}, {Type: "name", Leaf: true, Added: 3, Score: 0.1 + 0.1 + 0.1}},
		}
	}
	if err := whole().Possible(w, 10); err != nil {
		t.Errorf("figures that can be: %v", err)
	}
	if err := (&tokens.Diff{}).Possible(w, 0); err != nil {
		t.Errorf("no figures of no texts: %v", err)
	}
	for want, change := range map[string]func(*tokens.Diff){
		"-1 nodes":                    func(d *tokens.Diff) { d.StructuralAddedCount = -1 },
		"705 nodes":                   func(d *tokens.Diff) { d.LeafDeletedCount = 705 },
		"9223372036854775807 nodes":   func(d *tokens.Diff) { d.StructuralDeletedCount = math.MaxInt },
		"no number":                   func(d *tokens.Diff) { d.StructuralAddedScore = math.NaN() },
		"score +Inf of 2 nodes":       func(d *tokens.Diff) { d.StructuralDeletedScore = math.Inf(1) },
		"score -Inf of 3 nodes":       func(d *tokens.Diff) { d.LeafAddedScore = math.Inf(-1) },
		"score -0.1 of 1 nodes":       func(d *tokens.Diff) { d.LeafDeletedScore = -0.1 },
		"score 6.1 of 3 nodes":        func(d *tokens.Diff) { d.StructuralAddedScore = 6.1 },
		"score 0.2 of 1 nodes":        func(d *tokens.Diff) { d.LeafDeletedScore = 0.2 },
		"score 1e+300 of 3 nodes":     func(d *tokens.Diff) { d.LeafAddedScore = 1e300 },
		"6 contributions":             func(d *tokens.Diff) { d.Largest = make([]tokens.Contribution, 6) },
		`"\x1b[2J", which has no`:     func(d *tokens.Diff) { d.Largest[0].Type = "\x1b[2J" },
		`"name", which has no`:        func(d *tokens.Diff) { d.Largest[1].Leaf = false },
		"contribution of -3 and 1":    func(d *tokens.Diff) { d.Largest[0].Added = -3 },
		"contribution of 3 and 705":   func(d *tokens.Diff) { d.Largest[0].Deleted = 705 },
		"score 9 of 4 nodes":          func(d *tokens.Diff) { d.Largest[0].Score = 9 },
		"score +Inf of 4 nodes, want": func(d *tokens.Diff) { d.Largest[0].Score = math.Inf(1) },
	} {
		d := whole()
		change(d)
		if err := d.Possible(w, 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
