package dashboard_test

import (
	"net/http"
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/shared/must"
)

// What a page shows is at the address of its JSON, of the page of earlier rounds too.
func TestRoundsAsJSON(t *testing.T) {
	t.Parallel()
	b := setup(t)
	has(t, b.get(t, "/"), http.StatusOK, `href="/api/v1/rounds?limit=96"`)
	has(t, b.get(t, "/?cursor=20260601t000000z-0a0b0c"), http.StatusOK, `href="/api/v1/rounds?limit=96&amp;cursor=20260601t000000z-0a0b0c"`)
}

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
