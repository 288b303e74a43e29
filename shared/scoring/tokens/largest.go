package tokens

import (
	"cmp"
	"slices"
)

// maxContributions is how many node types are named for one file. They only explain:
// no rule reads them.
const maxContributions = 5

// Contribution is the part of a file's score that the nodes of one type give, either
// as nodes of the tree (structural) or as leaves with their text.
type Contribution struct {
	Type    string  `json:"type"`
	Leaf    bool    `json:"leaf,omitempty"`
	Added   int     `json:"added"`
	Deleted int     `json:"deleted"`
	Score   float64 `json:"score"`
}

// Diff is a tree diff: its counts and scores, and the node types that give most.
type Diff struct {
	Breakdown

	Largest []Contribution
	// OutOfTime is FileFigures.OutOfTime.
	OutOfTime bool
}

// kindSums adds up the score of each node type. The structural sum of type n is at
// index 2n, the one of its leaves at 2n+1.
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

// largest are the node types that give most, by name. A type without a score is left
// out.
func (k kindSums) largest(names []string) []Contribution {
	var all []Contribution
	for at, sum := range k {
		if sum.score > 0 && at/2 < len(names) {
			all = append(all, Contribution{names[at/2], at%2 == 1, sum.added, sum.deleted, sum.score})
		}
	}
	// Equal scores are ordered by name: the number of a type may change with the
	// version of its grammar.
	slices.SortFunc(all, func(a, b Contribution) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Type, b.Type), cmp.Compare(b.Added+b.Deleted, a.Added+a.Deleted))
	})
	return slices.Clip(all[:min(len(all), maxContributions)])
}

// times multiplies contributions by the weights of language and test, as
// Breakdown.times does with the sums.
func times(largest []Contribution, weight float64) []Contribution {
	weighted := slices.Clone(largest)
	for i := range weighted {
		weighted[i].Score *= weight
	}
	return weighted
}
