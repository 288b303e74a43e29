package tokens

import (
	"cmp"
	"slices"
)

// maxContributions is how many node types a file's figures name.
const maxContributions = 5

// Contribution is what the nodes of one type add to a file's score: as nodes of
// the tree (structural), or as leaves with their text.
type Contribution struct {
	Type    string  `json:"type"`
	Leaf    bool    `json:"leaf,omitempty"`
	Added   int     `json:"added"`
	Deleted int     `json:"deleted"`
	Score   float64 `json:"score"`
}

// Diff is a tree diff: its figures, and the node types that give the most.
type Diff struct {
	Breakdown

	Largest []Contribution
	// OutOfTime is that of FileFigures.
	OutOfTime bool
}

// kindSums adds up what each node type gives: structural at twice its number,
// as leaves one after it.
type kindSums []struct {
	added, deleted int
	score          float64
}

func (k kindSums) add(kind uint16, leaf, added bool, copies int, score float64) {
	at := 2 * int(kind)
	if leaf {
		at++
	}
	if at >= len(k) {
		return
	}
	if k[at].score += score; added {
		k[at].added += copies
	} else {
		k[at].deleted += copies
	}
}

// largest are the node types that give the most, by their names; those that
// give nothing are none of them.
func (k kindSums) largest(names []string) []Contribution {
	var all []Contribution
	for at, sum := range k {
		if sum.score > 0 && at/2 < len(names) {
			all = append(all, Contribution{names[at/2], at%2 == 1, sum.added, sum.deleted, sum.score})
		}
	}
	// Names are last: numbers of types may change with a grammar's version.
	slices.SortFunc(all, func(a, b Contribution) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Type, b.Type), cmp.Compare(b.Added+b.Deleted, a.Added+a.Deleted))
	})
	return slices.Clip(all[:min(len(all), maxContributions)])
}

// times weights contributions as times of Breakdown does the sums.
func times(largest []Contribution, weight float64) []Contribution {
	weighted := slices.Clone(largest)
	for i := range weighted {
		weighted[i].Score *= weight
	}
	return weighted
}
