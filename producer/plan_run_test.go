package main_test

import (
	"fmt"
	"testing"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

func plans(t *testing.T, args ...string) estimate.Estimate {
	t.Helper()
	return printed[estimate.Estimate](t, "Plan", 0, append([]string{"plan"}, args...)...)
}

// mirrorSaw is how many requests a simulated mirror has counted.
func mirrorSaw(t *testing.T, url string) int {
	t.Helper()
	return must.Get(fleettest.Stats(t.Context(), url))(t).Requests
}

// TestPlanForetellsRounds: plan takes its sizes from a measured round, cold or warm. The
// mirror then counts exactly the foretold requests of a cold and of a warm round. The
// limit is too wide to matter.
func TestPlanForetellsRounds(t *testing.T) {
	t.Parallel()
	started := jobstreamtest.Start(t)
	world := fleettest.Simulate(t, "--world", "case:"+settledCase, "--limit", "0", "--case-fault", "400")
	nats := []string{"--nats", started.NATSURL()}
	limit := []string{"--limit-requests", "2000", "--limit-window", "1s", "--limit-horizon", "100ms", "--egress", "plan"}
	files := []string{"--miners", world.Miners, "--registry", world.Registry}
	common := append(append([]string{"--redis", started.RedisURL(), "--mirror", world.URL}, nats...), limit...)
	assumed := plans(t, append(append(files, "--pulls-per-miner", "2"), limit...)...)
	if assumed.Round != "" || assumed.Cold.LookUps.Value != 3*assumed.Jobs.Value || assumed.Cold.Files.Value != 2*assumed.Jobs.Value {
		t.Errorf("without a round: %+v, want three look-ups and two pull requests a miner", assumed)
	}
	before := plans(t, append(append(nats, files...), limit...)...)
	if before.Round != "" {
		t.Errorf("before any round: %+v", before)
	}

	declare(t, started.NATSURL())
	w := work(t, "planned", nil, common...)
	defer w.stop()
	var rounds [2]roundJSON
	var took [2]int
	for i := range rounds {
		was := mirrorSaw(t, world.URL)
		rounds[i] = decode(t, run(t, "producer", append(append([]string{"run", "--json", "--as-of", world.AsOf}, files...), common...)...))
		took[i] = mirrorSaw(t, world.URL) - was
		got := plans(t, append(nats, limit...)...)
		if got.Round != rounds[i].Round || got.Jobs.Value != rounds[i].Planned || got.Last == nil || got.Last.Requests == 0 || got.Last.Seconds <= 0 {
			t.Errorf("after round %s: %+v", rounds[i].Round, got)
		}
		if got.Cold.Requests.Value != took[0] {
			t.Errorf("after round %d, plan foretells %d requests of a cold round, it took %d", i, got.Cold.Requests.Value, took[0])
		}
		if i == 0 {
			defer func(warm int) {
				if warm != took[1] {
					t.Errorf("after the cold round, plan foretells %d requests of a warm one, it took %d", warm, took[1])
				}
			}(got.Warm.Requests.Value)
		} else if got.Warm.Requests.Value != took[1] {
			t.Errorf("after the warm round, plan foretells %d requests of another, it took %d", got.Warm.Requests.Value, took[1])
		}
		// Durations are computed: one interval less than there are requests.
		const interval = 0.000626 // of 1998 permits in 1.25 s, rounded up to a microsecond
		if want := float64(got.Cold.Requests.Value-1) * interval; fmt.Sprintf("%.6f", got.Cold.Time.Seconds) != fmt.Sprintf("%.6f", want) {
			t.Errorf("the cold round takes %v s, want %v", got.Cold.Time.Seconds, want)
		}
	}
	if rounds[0].Retries+rounds[1].Retries > 0 || took[0] <= took[1] || rounds[1].Cached == 0 {
		t.Errorf("%d retries, %d and %d requests, %d from the cache: these rounds hold nothing", rounds[0].Retries+rounds[1].Retries,
			took[0], took[1], rounds[1].Cached)
	}
	t.Logf("a cold round took %d requests, a warm one %d", took[0], took[1])
}
