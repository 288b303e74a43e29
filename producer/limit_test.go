package main

import (
	"errors"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/ratelimit"
)

// The answer to a hold or a release says what is in force afterwards.
func TestOrdersSayWhatIsInForce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name           string
		request        limitRequest
		hold, coolDown time.Duration // of the bucket, after the request
		want           string
	}{
		{"held", limitRequest{hold: 5 * time.Minute}, 5 * time.Minute, 0, "Egress eu-1 is held until 2026-06-01T12:05:00Z (5m0s more)."},
		{
			"held for longer", limitRequest{hold: time.Minute}, time.Hour, 0,
			"Egress eu-1 already has a hold that ends later than 1m0s from now, and that hold stays: until 2026-06-01T13:00:00Z (1h0m0s more). " +
				"producer limit --release ends it.",
		},
		{
			"held, and a longer cool-down", limitRequest{hold: time.Second}, time.Second, time.Minute,
			"Egress eu-1 is held until 2026-06-01T12:00:01Z (1s more). Egress eu-1 stays stopped until 2026-06-01T12:01:00Z (1m0s more): " +
				"the mirror asked for this cool-down (--end-cool-down says what ending it risks).",
		},
		{"held, and a shorter cool-down", limitRequest{hold: time.Minute}, time.Minute, time.Second, "Egress eu-1 is held until 2026-06-01T12:01:00Z (1m0s more)."},
		{"released", limitRequest{release: true}, 0, 0, "The hold is released: nothing stops egress eu-1 now."},
		{
			"released, and cooling down", limitRequest{release: true}, 0, 30 * time.Second,
			"The hold is released. Egress eu-1 stays stopped until 2026-06-01T12:00:30Z (30s more): the mirror asked for this cool-down (--end-cool-down says what ending it risks).",
		},
		{
			"released, and held anew", limitRequest{release: true}, time.Minute, 0,
			"The hold is released, but somebody has set another one on egress eu-1: until 2026-06-01T12:01:00Z (1m0s more).",
		},
	} {
		state := ratelimit.State{Egress: "eu-1"}
		state.Hold, state.CoolDown = c.hold, c.coolDown
		if got := c.request.did(view.BucketOf(state), now); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// A request that fails names the fault of Redis in the same words as every other command.
func TestAnOrderSaysWhatIsWrongWithRedis(t *testing.T) {
	t.Parallel()
	err := limitRequest{egress: "eu-1"}.explain(t.Context(), nil, nil, errors.New("EOF"))
	if want := "egress eu-1: " + ratelimit.Trouble(errors.New("EOF")).Error(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}
