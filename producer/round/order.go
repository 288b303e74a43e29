package round

import (
	"cmp"
	"slices"

	"mirrorfleet/shared/job"
)

// heaviestFirst orders jobs by how many requests their miners took in an
// earlier round, most first: the stream hands them out in this order, so that
// the round's end is many short jobs side by side and not a long one alone.
//
// A miner without a size goes first. It may be the heaviest of all, and one
// that is begun last ends last; one that turns out small has cost the others
// a few requests' time. A job that asks for issues alone is never large,
// whatever the miner was. Equals keep their order.
func heaviestFirst(jobs []job.Job, sizes map[int]int) []job.Job {
	weight := func(j job.Job) int {
		size, known := sizes[j.UID]
		switch {
		case j.IssuesOnly:
			return 0
		case !known:
			return unknown
		}
		return size
	}
	ordered := slices.Clone(jobs)
	slices.SortStableFunc(ordered, func(a, b job.Job) int { return cmp.Compare(weight(b), weight(a)) })
	return ordered
}

// unknown is more than any miner's requests.
const unknown = 1 << 30

// sizesOf are the requests that each miner of a round took. A job that made
// none, because it was never run or its mirror refused it, says nothing.
func sizesOf(records []job.Record) map[int]int {
	sizes := map[int]int{}
	for _, r := range records {
		if r.Requests > 0 {
			sizes[r.UID] = r.Requests
		}
	}
	return sizes
}
