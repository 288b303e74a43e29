package page

import (
	"testing"
	"time"

	"mirrorfleet/producer/view"
)

// The pages of a fleet that lacks tokens of each kind, and of one that lacks none.
func TestTokenPages(t *testing.T) {
	t.Parallel()
	planned := time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)
	whole := view.Tokens{
		Round: "20260603t120000z-010203", PlannedAt: planned, Miners: 254, Usable: 254, Rounds: 1, Lacking: []view.Lacking{},
		History: []view.Covered{},
	}
	goldenPage(t, "tokens/whole", "Tokens", whole, Tokens)
	lacking := whole
	lacking.Usable, lacking.Kept = 247, 3
	lacking.Rounds = 100
	const hotkey = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
	for _, l := range []view.Lacking{
		{UID: 17, Hotkey: hotkey, State: view.TokenRefused, Rounds: 1, FellOut: true},
		{UID: 5, Hotkey: "hostile\x1b[31m\u202ehotkey", State: view.TokenNone, Rounds: 1},
		{UID: 8, Hotkey: hotkey, State: view.TokenUnreachable, Rounds: 2},
		{UID: 23, Hotkey: hotkey, State: view.TokenStale, Rounds: 12},
		{UID: 40, Hotkey: hotkey, State: view.TokenRefused, Rounds: 30},
		{UID: 211, Hotkey: hotkey, State: view.TokenNone, Rounds: 100, AtLeast: true},
		{UID: 255, Hotkey: hotkey, State: view.TokenNone, Rounds: 100, AtLeast: true},
	} {
		l.Since = planned.Add(-time.Duration(l.Rounds-1) * 2 * time.Hour)
		lacking.Lacking = append(lacking.Lacking, l)
	}
	goldenPage(t, "tokens/lacking", "Tokens", lacking, Tokens)
}
