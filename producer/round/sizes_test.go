package round_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/lease"
)

// TestHeavyMinersStartFirst: a worker of one slot takes the jobs of a second
// round in the order of what the first one took; the newcomer comes first.
func TestHeavyMinersStartFirst(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	requests := map[int]int64{1: 3, 2: 40, 3: 12}
	var mu sync.Mutex
	ran := map[string][]int{}
	b.work(t, func(_ context.Context, j job.Job, a lease.Attempt) (job.Evaluation, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[j.Round] = append(ran[j.Round], j.UID)
		a.Requests.Add(requests[j.UID])
		return evaluated(j, 1), nil
	}, func(c *lease.Config) { c.Slots = 1 })
	miners := []scoring.Miner{{UID: 1, Hotkey: "h1", GitHubID: "101"}, {UID: 2, Hotkey: "h2", GitHubID: "102"}, {UID: 3, Hotkey: "h3", GitHubID: "103"}}
	first := b.plan(t, miners...)
	if _, err := b.runner(t).Start(deadline(t), first); err != nil {
		t.Fatal(err)
	}
	second := b.plan(t, append(miners, scoring.Miner{UID: 4, Hotkey: "h4", GitHubID: "104"})...)
	second.Round = round.NewID(time.Now().Add(time.Hour), [3]byte{1, 2, 3})
	if _, err := b.runner(t).Start(deadline(t), second); err != nil {
		t.Fatal(err)
	}
	want := map[string][]int{first.Round: {1, 2, 3}, second.Round: {4, 2, 3, 1}}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("order of the jobs (-want +got):\n%s", diff)
	}
}
