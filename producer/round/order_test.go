package round //nolint:testpackage // the order is the round's own; only the stream shows it

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
)

func TestHeaviestFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		jobs  []job.Job
		sizes map[int]int
		want  []int
	}{
		{"by size", []job.Job{{UID: 1}, {UID: 2}, {UID: 3}}, map[int]int{1: 4, 2: 90, 3: 12}, []int{2, 3, 1}},
		{"equals as they stand", []job.Job{{UID: 3}, {UID: 1}, {UID: 2}}, map[int]int{1: 4, 2: 4, 3: 4}, []int{3, 1, 2}},
		{"unknown first", []job.Job{{UID: 1}, {UID: 2}, {UID: 3}}, map[int]int{1: 4, 3: 5000}, []int{2, 3, 1}},
		{"nothing known", []job.Job{{UID: 2}, {UID: 1}}, nil, []int{2, 1}},
		{"issues alone last", []job.Job{{UID: 1, IssuesOnly: true}, {UID: 2}, {UID: 3, IssuesOnly: true}}, map[int]int{1: 900, 2: 4}, []int{2, 1, 3}},
		{"a miner that is gone", []job.Job{{UID: 1}}, map[int]int{1: 2, 9: 100}, []int{1}},
		{"none", nil, map[int]int{1: 2}, nil},
	} {
		before := append([]job.Job(nil), c.jobs...)
		var got []int
		for _, j := range heaviestFirst(c.jobs, c.sizes) {
			got = append(got, j.UID)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(before, c.jobs); diff != "" {
			t.Errorf("%s: the argument was changed:\n%s", c.name, diff)
		}
	}
}

func TestSizesOfARound(t *testing.T) {
	t.Parallel()
	got := sizesOf([]job.Record{{UID: 1, Requests: 7}, {UID: 2}, {UID: 3, Requests: 1, Phase: job.Failed}})
	if diff := cmp.Diff(map[int]int{1: 7, 3: 1}, got); diff != "" {
		t.Error(diff)
	}
}
