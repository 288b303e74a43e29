package session

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// Each phase of a round is told once, whatever comes in between, and one that was passed
// over is not told later.
func TestPhasesAreToldOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		seen []round.Progress
		want map[phase]int
	}{
		{"one after another", []round.Progress{
			{Planned: 3, Queued: 3},
			{Planned: 3, Queued: 2, Running: 1},
			{Planned: 3, Queued: 1, Running: 1, Done: 1},
			{Planned: 3, Running: 1, Done: 1, Failed: 1},
			{Planned: 3, Queued: 3}, // under a new hold
			{Planned: 3, Queued: 2, Running: 1},
			{Planned: 3, Done: 2, Failed: 1},
			{Planned: 3, Done: 2, Failed: 1},
		}, map[phase]int{begun: 1, half: 1, settled: 1}},
		{"without a job", []round.Progress{{}, {}}, map[phase]int{settled: 1}},
		{"concluded at once", []round.Progress{{Planned: 1, Queued: 1}, {Planned: 1, Done: 1}}, map[phase]int{settled: 1}},
		{"waiting for workers", []round.Progress{{Planned: 2, Queued: 2}, {Planned: 2, Queued: 2}}, map[phase]int{}},
	} {
		said, far := &telemetrytest.Log{}, &phases{round: "r1"}
		for _, p := range tt.seen {
			far.tell(t.Context(), said.Logger(), p)
		}
		got := map[phase]int{}
		for _, p := range []phase{begun, half, settled} {
			if n := said.Count(p.text()); n > 0 {
				got[p] = n
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: told (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What is under way when a producer is stopped is what it had not ended.
func TestWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	u := &underWay{}
	u.lead(true)
	one := u.note("r1")
	u.note("r2")
	one()
	if rounds, led := u.left(); !cmp.Equal(rounds, []string{"r2"}) || !led {
		t.Errorf("under way %v, led %t; want r2 alone, and that it led", rounds, led)
	}
}
