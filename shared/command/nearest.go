package command

import (
	"cmp"
	"slices"
	"strings"
)

// nearest is the candidate most similar to a mistyped name, "" if none is similar: the
// one with the fewest letters changed, left out, added or swapped. At most a third of the
// letters may differ (two in a short name), and never more than half. Of equal ones the
// first counts.
func nearest(name string, candidates []string) string {
	best, shortest := "", max(2, len(name)/3)+1
	for _, candidate := range candidates {
		if d := distance(name, candidate); d < shortest && 2*d <= max(len(name), len(candidate)) {
			best, shortest = candidate, d
		}
	}
	return best
}

// Near are the candidates most like a name, the most similar first, at most a few: those
// that contain it or its last part (behind a slash), and those that differ in few letters.
// Case does not matter.
func Near(name string, candidates []string) []string {
	const limit = 5
	name = strings.ToLower(name)
	part := name[strings.LastIndexByte(name, '/')+1:]
	by := map[string]int{}
	var near []string
	for _, candidate := range candidates {
		lower := strings.ToLower(candidate)
		d := distance(name, lower)
		if 3*d <= len(name) || len(part) > 2 && strings.Contains(lower, part) {
			by[candidate] = d
			near = append(near, candidate)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(by[a], by[b]) })
	return near[:min(limit, len(near))]
}

// distance is the number of changes between two names: the optimal string alignment
// distance, which counts a swap of two neighbours as one change.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
