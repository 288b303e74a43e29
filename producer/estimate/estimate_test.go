package estimate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/shared/must"
)

// input is a round of so many measured miners, each with two look-ups more than
// the least, three pull requests, one of them everybody's, and one that is not
// kept.
func input(miners int) estimate.Input {
	in := estimate.Input{
		Listed: miners, MinersFrom: "a test", Round: "r1", PullsPerMiner: -1, Maintainers: 4,
		Pace:   estimate.Pace{Interval: 200 * time.Millisecond, Processes: 50},
		Worker: estimate.Worker{Slots: 4, Children: 2, Connections: 8, Files: 8, Latency: 100 * time.Millisecond, ScoreCPU: 10 * time.Millisecond},
	}
	for uid := range miners {
		in.Miners = append(in.Miners, estimate.Miner{UID: uid, Size: &estimate.Size{
			LookUps: 5, Pulls: []string{"a/b#1", fmt.Sprintf("c/d#%d", uid), fmt.Sprintf("e/f#%d", uid)}, Unkept: 1,
		}})
	}
	return in
}

func of(t *testing.T, in estimate.Input) estimate.Estimate {
	t.Helper()
	e := must.Get(estimate.Of(in))(t)
	return e
}

// A pull request that several need is fetched once; those that are not kept are
// fetched for each, in every round; the producer's look-ups come on top.
func TestRequests(t *testing.T) {
	t.Parallel()
	in := input(10)
	in.Miners = append(in.Miners, estimate.Miner{UID: 10}, estimate.Miner{UID: 11, IssuesOnly: true})
	for name, c := range map[string]struct {
		pulls             int
		lookUps, cold, wr int
		from              string
	}{
		"the others' mean": {-1, 50 + 3 + 2, 1 + 20 + 10 + 3, 10, "mean of 3.0 taken (miners: 2)"},
		"as it was set":    {7, 50 + 3 + 2, 1 + 20 + 10 + 7, 10, "7 a miner assumed (miners: 2)"},
		"none":             {0, 50 + 3 + 2, 1 + 20 + 10, 10, "0 a miner assumed"},
	} {
		in.PullsPerMiner = c.pulls
		e := of(t, in)
		if e.Cold.LookUps.Value != c.lookUps || e.Warm.LookUps.Value != c.lookUps || e.Cold.Files.Value != c.cold || e.Warm.Files.Value != c.wr {
			t.Errorf("%s: %+v", name, e)
		}
		if want := c.lookUps + c.cold + 4 + 1; e.Cold.Requests.Value != want {
			t.Errorf("%s: %d requests, want %d", name, e.Cold.Requests.Value, want)
		}
		if from := e.Cold.Files.From; !strings.Contains(from, c.from) || !strings.Contains(from, "measured in round r1 (miners: 10)") {
			t.Errorf("%s: the files are from %q, want %q", name, from, c.from)
		}
	}
}

// Times are one interval less than requests; two egresses have half each.
func TestTimes(t *testing.T) {
	t.Parallel()
	e := of(t, input(10))
	requests := 50 + 31 + 5
	if got, want := e.Cold.Time.Duration(), time.Duration(requests-1)*200*time.Millisecond; got.Round(time.Microsecond) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := e.Cold.TwoEgresses.Duration(), time.Duration(requests/2-1)*200*time.Millisecond; got.Round(time.Microsecond) != want {
		t.Errorf("with two egresses %s, want %s", got, want)
	}
	if e := of(t, input(0)); e.Cold.Workers.Value != 0 || e.Cold.Requests.Value != 5 || e.Cold.Time.Seconds != 0.8 {
		t.Errorf("a round of nobody: %+v", e.Cold)
	}
}

// Each bound of a worker decides when it is the narrowest.
func TestWorkers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change     func(*estimate.Input)
		cold, warm int
	}{
		"one is enough":  {func(*estimate.Input) {}, 1, 1},
		"a slow mirror":  {func(in *estimate.Input) { in.Worker.Latency = 10 * time.Second }, 10, 13}, // 8.1 requests of a job in 60 s, 6 of them look-ups
		"slow scoring":   {func(in *estimate.Input) { in.Worker.ScoreCPU = 2 * time.Second; in.Worker.Slots = 64 }, 2, 1},
		"no limit":       {func(in *estimate.Input) { in.Pace.Interval = time.Millisecond }, 19, 26}, // 8.1 requests in 615.5 ms, four at once; 6 in 605 ms
		"few slots":      {func(in *estimate.Input) { in.Pace.Interval = 10 * time.Millisecond; in.Worker.Slots = 1 }, 8, 11},
		"no work at all": {func(in *estimate.Input) { in.Worker.Latency, in.Worker.ScoreCPU = 0, 0 }, 1, 1},
	} {
		in := input(10)
		c.change(&in)
		if e := of(t, in); e.Cold.Workers.Value != c.cold || e.Warm.Workers.Value != c.warm {
			t.Errorf("%s: %d workers cold, %d warm, want %d and %d", name, e.Cold.Workers.Value, e.Warm.Workers.Value, c.cold, c.warm)
		}
	}
}

func TestInputIsChecked(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*estimate.Input){
		"Interval": func(in *estimate.Input) { in.Pace.Interval = 0 },
		"slots":    func(in *estimate.Input) { in.Worker.Slots = 0 },
		"latency":  func(in *estimate.Input) { in.Worker.Latency = -1 },
	} {
		in := input(1)
		spoil(&in)
		if _, err := estimate.Of(in); !errors.Is(err, estimate.ErrInput) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
