package main_test

import (
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/jobstream"
)

// TestWorkersShowThemselves with real processes: what each has and does, the last word of one
// that drains, and none of one that is killed.
func TestWorkersShowThemselves(t *testing.T) {
	t.Parallel()
	b := setup(t, small(2, 1), time.Second)
	ending := b.start()
	b.front.hold(everybody)
	killed := b.begin("killed")
	leaving := b.begin("leaving", "--grace", "0s")
	of := func(name string) (found jobstream.Present) {
		t.Helper()
		roll, err := b.bus.Presence.List(b.ctx)
		b.must(err)
		for _, p := range roll.Workers {
			if p.Name == name {
				found = p
			}
		}
		return found
	}
	for _, name := range []string{"killed", "leaving"} {
		b.until(name+" shows what its job does", func() bool {
			p := of(name)
			return len(p.Jobs) == 1 && p.Jobs[0].Round == "r1" && strings.HasPrefix(p.Jobs[0].Doing.What, "the list of") &&
				p.Slots == 1 && p.Build != "" && p.Host != "" && p.Limit.Known
		})
	}
	b.must(killed.Process.Kill())
	<-killed.done
	b.signal(leaving, sigTerm)
	b.ended(leaving)
	if p := of("leaving"); p.Left != "drained" || len(p.Jobs) != 0 {
		t.Errorf("who drained is shown as %+v, want its last word", p.Worker)
	}
	if p := of("killed"); p.Left != "" || len(p.Jobs) != 1 {
		t.Errorf("who was killed is shown as %+v, want it as it was", p.Worker)
	}
	b.front.release(everybody)
	heir := b.begin("killed") // of the same name: both are shown
	b.result(ending)
	b.drained(heir)
	roll, err := b.bus.Presence.List(b.ctx)
	b.must(err)
	if len(roll.Workers) != 3 {
		t.Errorf("%d processes are shown, want the killed one beside the one of its name", len(roll.Workers))
	}
}
