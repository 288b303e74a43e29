package view_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

// A miner that never had a token has all rounds looked at. Each is read once: the second look
// only asks whether it has changed, and a round that is new or gone is seen.
func TestTheCoverageIsReadOnce(t *testing.T) {
	t.Parallel()
	fleet := roundtest.Start(t)
	bus, nc := jobstreamtest.Open(t, fleet.NATS, jobstream.Config{})
	plan := func(i int, token input.TokenState) {
		t.Helper()
		m := fleet.Plan(t, roundtest.Now)
		m.Round = fmt.Sprintf("20260601t%06dz-0a0b0c", i)
		m.Due = roundtest.Now.Add(time.Duration(i) * time.Hour)
		m.PlannedAt = m.Due
		m.Miners = []input.Miner{{UID: 5, Hotkey: "h5", Token: token}}
		must.Do(t, bus.Rounds.CreateManifest(t.Context(), m))
	}
	const rounds = 30
	for i := range rounds {
		plan(i, input.TokenNone)
	}
	kept := view.NewCoverages()
	looks := func(what string) (requests uint64) {
		t.Helper()
		want := must.Get(view.TokensOf(t.Context(), bus))(t)
		before := nc.Stats().OutMsgs
		got := must.Get(kept.Of(t.Context(), bus))(t)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: what is kept differs from what is stored (-stored +kept):\n%s", what, diff)
		}
		return nc.Stats().OutMsgs - before
	}
	looks("the first look")
	if asked := looks("the second look"); asked > 2*rounds+10 {
		t.Errorf("a look at %d rounds that have not changed took %d requests, want two of each at most", rounds, asked)
	}
	plan(rounds, "")
	looks("a new round")
	plan(rounds+1, input.TokenRefused)
	looks("a miner that fell out")
}
