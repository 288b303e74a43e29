package tokens

import (
	"errors"
	"fmt"
	"math"
)

// maxNodesPerByte bounds the nodes of a text. A node without text has one with text
// beside it, and only a few types nest over the same text. A file of one-letter names
// has about three nodes a byte.
const maxNodesPerByte = 64

// roundings is the factor by which the rounding of additions may raise a sum of
// weights above its exact value.
const roundings = 1 + 1e-9

// Possible returns an error that names a value of the diff which texts of this size
// in bytes cannot have, or nil. The diff comes from a process that parses foreign
// texts, and a hostile text may take that process over. It can then lie within these
// bounds, but no sum of diffs that passed is negative, infinite or NaN.
func (d *Diff) Possible(w *Weights, bytes int) error {
	maxNodes := maxNodesPerByte * (bytes + 1)
	b := &d.Breakdown
	for _, s := range []struct {
		count int
		score float64
		max   float64
	}{
		{b.StructuralAddedCount, b.StructuralAddedScore, w.maxStructural},
		{b.StructuralDeletedCount, b.StructuralDeletedScore, w.maxStructural},
		{b.LeafAddedCount, b.LeafAddedScore, w.maxLeaf},
		{b.LeafDeletedCount, b.LeafDeletedScore, w.maxLeaf},
	} {
		if err := possible(s.count, s.score, maxNodes, s.max); err != nil {
			return err
		}
	}
	if len(d.Largest) > maxContributions {
		return fmt.Errorf("%d contributions, want at most %d", len(d.Largest), maxContributions)
	}
	for i := range d.Largest {
		if err := d.Largest[i].possible(w, maxNodes); err != nil {
			return err
		}
	}
	return nil
}

func (c *Contribution) possible(w *Weights, maxNodes int) error {
	table := w.structural
	if c.Leaf {
		table = w.leaf
	}
	weight, listed := table[c.Type]
	if !listed {
		return fmt.Errorf("a contribution of %.40q, which has no weight", c.Type)
	}
	if c.Added < 0 || c.Deleted < 0 || c.Added > maxNodes || c.Deleted > maxNodes {
		return fmt.Errorf("a contribution of %d and %d nodes, want from 0 to %d", c.Added, c.Deleted, maxNodes)
	}
	return possible(c.Added+c.Deleted, c.Score, 2*maxNodes, weight)
}

// possible compares a score with the maximum that its nodes can give. The order of
// the cases matters: NaN fails every comparison, so it ends in the third.
func possible(count int, score float64, maxNodes int, weight float64) error {
	switch {
	case count < 0 || count > maxNodes:
		return fmt.Errorf("%d nodes, want from 0 to %d", count, maxNodes)
	case score >= 0 && score <= float64(count)*weight*roundings:
		return nil
	case math.IsNaN(score):
		return errors.New("a score that is no number")
	}
	return fmt.Errorf("score %g of %d nodes, want from 0 to %g", score, count, float64(count)*weight)
}

func largestOf(weights map[string]float64) float64 {
	largest := 0.0
	for _, weight := range weights {
		largest = max(largest, weight)
	}
	return largest
}
