package page

import (
	"testing"
	"time"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/shared/must"
)

// planInput is a round of three miners: one measured twice over, one new, one
// whose issues alone are asked for.
func planInput() estimate.Input {
	return estimate.Input{
		Miners: []estimate.Miner{
			{UID: 3, Size: &estimate.Size{LookUps: 4, Pulls: []string{"a/b#1", "a/b#2"}, Unkept: 1}},
			{UID: 4}, {UID: 5, IssuesOnly: true},
		},
		Listed: 4, MinersFrom: "miners.json", Round: "20260601t000000z-010203", PullsPerMiner: -1,
		Maintainers: 2, MaintainersFrom: "2 look-ups of maintainers by master_repositories.json",
		Pace:   estimate.Pace{Interval: 213542 * time.Microsecond, Processes: 46, From: "the --limit flags: 50 requests in 10s, by the formula of docs/limit.md"},
		Worker: estimate.Worker{Slots: 4, Children: 2, Connections: 8, Files: 8, Latency: 300 * time.Millisecond, ScoreCPU: 50 * time.Millisecond, From: "assumed: 4 slots, 2 children, 300ms for an answer, 50ms of processor time for a pull request"},
	}
}

// The pages of a plan, with and without a round that was measured.
func TestPlanPages(t *testing.T) {
	t.Parallel()
	measured, assumed := planInput(), planInput()
	assumed.Round, assumed.PullsPerMiner = "", 10
	for i := range assumed.Miners {
		assumed.Miners[i].Size = nil
	}
	measured.Last = &estimate.Last{Round: measured.Round, Requests: 237, Cached: 19, Seconds: 61.4}
	for name, in := range map[string]estimate.Input{"measured": measured, "assumed": assumed} {
		e := must.Get(estimate.Of(in))(t)
		goldenPage(t, "plan/"+name, "Plan", e, Plan)
	}
}
