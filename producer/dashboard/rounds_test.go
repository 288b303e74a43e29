package dashboard_test

import (
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/shared/must"
)

// What a round used of the limit is said of its first run alone: the time of a replay is not
// known, while its requests are counted.
func TestTheShareOfTheLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Work(t)
	b.Sick.Store(2)
	must.Get(b.Limiter.Permit(t.Context()))(t) // so that the limit is known
	r := b.Concluded(t, now)
	share := func() string {
		t.Helper()
		for _, row := range parsed(t, b.get(t, "/")).rows(t, "Rounds")[1:] {
			if row[0] == r.Round {
				return row[8]
			}
		}
		t.Fatalf("the round is not listed")
		return ""
	}
	if got := share(); got == "" {
		t.Error("of a round the page does not say what it used of the limit")
	}
	b.Sick.Store(0)
	_, _, err := b.Runner(t).Replay(roundtest.Deadline(t), r.Round, outcome.Selection{})
	must.Do(t, err)
	if got := share(); got != "" {
		t.Errorf("a replayed round used %s of the limit", got)
	}
}
