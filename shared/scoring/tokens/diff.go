package tokens

// TreeDiff subtracts the multisets of base and head from each other, both ways, and
// scores the leftovers: docs/rules/scoring.md#tree-diff. nil has no signatures. Both
// must have been collected with these weights and with one numbering of node types,
// which indexes kinds and names.
func TreeDiff(base, head *Signatures, kinds []KindWeights, names []string) Diff {
	by := make(kindSums, 2*len(kinds))
	added, deleted := leftover(head, base, kinds, by, true), leftover(base, head, kinds, by, false)
	return Diff{Breakdown: Breakdown{
		StructuralAddedCount:   added.structural.count,
		StructuralAddedScore:   added.structural.score,
		StructuralDeletedCount: deleted.structural.count,
		StructuralDeletedScore: deleted.structural.score,
		LeafAddedCount:         added.leaf.count,
		LeafAddedScore:         added.leaf.score,
		LeafDeletedCount:       deleted.leaf.count,
		LeafDeletedScore:       deleted.leaf.score,
	}, Largest: by.largest(names)}
}

type sum struct {
	count int
	score float64
}

// add counts copies of a signature and returns the product. The conversion keeps the
// product and the sum apart, each with a rounding of its own: see totals.go.
func (s *sum) add(copies int, weight float64) float64 {
	product := float64(weight * float64(copies))
	s.count += copies
	s.score += product
	return product
}

type sums struct{ structural, leaf sum }

// leftover adds up the signatures of which side has more copies than other, in the
// order of first appearance in side's walk. The order decides the last bit of a sum:
// docs/rules/scoring.md#order-of-sums.
func leftover(side, other *Signatures, kinds []KindWeights, by kindSums, added bool) sums {
	var left sums
	if side == nil {
		return left
	}
	for i := range side.list {
		sig := &side.list[i]
		copies := int(sig.count)
		if other != nil {
			if slot, found := other.find(sig, side.text); found {
				copies -= int(other.list[other.table[slot]-1].count)
			}
		}
		if copies <= 0 {
			continue
		}
		var weights KindWeights
		if int(sig.kind) < len(kinds) {
			weights = kinds[sig.kind]
		}
		if sig.leaf {
			by.add(sig.kind, true, added, copies, left.leaf.add(copies, weights.Leaf))
		} else {
			by.add(sig.kind, false, added, copies, left.structural.add(copies, weights.Structural))
		}
	}
	return left
}
