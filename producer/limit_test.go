package main

import (
	"testing"
	"time"

	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/ratelimit"
)

// busy is a bucket in the middle of a round.
func busy() ratelimit.State {
	return ratelimit.State{
		Egress: "eu-1", Known: true, Rate: 4.683, Interval: 213542 * time.Microsecond, Limit: 50, Window: 10 * time.Second,
		Horizon: 10 * time.Second, NextIn: 613 * time.Millisecond, Granted: 1024, Refused: 12, Restarts: 2, CoolDowns: 1,
		Age: 12*time.Minute + 30*time.Second, LastGrant: -400 * time.Millisecond, RunID: "82908f967e808fda10b146b6d07e840060dce21f",
		Use: []int64{
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 47, 46, 47, 47, 47, 47, 46, 47, 47, 47, 47, 46, 47, 47, 47, 47, 46, 21,
		},
	}
}

// The page of each state that an egress can be in; every line fits a terminal.
func TestLimitPage(t *testing.T) {
	t.Parallel()
	held, cooling, fresh := busy(), busy(), busy()
	held.Hold, held.NextIn, held.LastGrant = 4*time.Minute+12*time.Second, 4*time.Minute+12*time.Second, 9*time.Second
	cooling.CoolDown, cooling.NextIn = 30*time.Second, 30*time.Second
	fresh.Age, fresh.Granted, fresh.Use, fresh.RunID = 8*time.Second, 0, make([]int64, 29), ""
	for name, state := range map[string]ratelimit.State{
		"busy": busy(), "held": held, "cooling": cooling, "fresh": fresh,
	} {
		goldenPage(t, "limit/"+name, "Bucket", limitPage{Bucket: answer.BucketOf(state)})
	}
	other, gone := held, busy()
	other.Egress, gone.Egress, gone.LastGrant = "stranger", "old-name", 72*time.Hour
	all := []ratelimit.State{busy(), cooling, gone, other}
	all[1].Egress = "eu-2"
	declared := job.Egresses{Names: []string{"eu-1", "eu-2"}, By: "p"}
	goldenPage(t, "limit/list", "Limit", limitList{answer.LimitOf(all, declared, "eu-1")})
	goldenPage(t, "limit/list-unknown", "Limit", limitList{answer.LimitOf(all, job.Egresses{}, "default")})
}

// What an order says of itself is what is in force after it.
func TestOrdersSayWhatIsInForce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name           string
		order          order
		hold, coolDown time.Duration // of the bucket, after the order
		want           string
	}{
		{"held", order{hold: 5 * time.Minute}, 5 * time.Minute, 0, "Egress eu-1 is held until 2026-06-01T12:05:00Z (5m0s more)."},
		{
			"held for longer", order{hold: time.Minute}, time.Hour, 0,
			"Egress eu-1 was held for longer than 1m0s already, and that hold stays: until 2026-06-01T13:00:00Z (1h0m0s more). " +
				"producer limit --release ends it.",
		},
		{
			"held, and a longer cool-down", order{hold: time.Second}, time.Second, time.Minute,
			"Egress eu-1 is held until 2026-06-01T12:00:01Z (1s more). Egress eu-1 stays stopped until 2026-06-01T12:01:00Z (1m0s more): " +
				"the mirror asked for this cool-down, and no order ends it.",
		},
		{"held, and a shorter cool-down", order{hold: time.Minute}, time.Minute, time.Second, "Egress eu-1 is held until 2026-06-01T12:01:00Z (1m0s more)."},
		{"released", order{release: true}, 0, 0, "The hold is released: nothing stops egress eu-1 any more."},
		{
			"released, and cooling down", order{release: true}, 0, 30 * time.Second,
			"The hold is released. Egress eu-1 stays stopped until 2026-06-01T12:00:30Z (30s more): the mirror asked for this cool-down, and no order ends it.",
		},
		{
			"released, and held anew", order{release: true}, time.Minute, 0,
			"The hold is released, and somebody holds egress eu-1 anew: until 2026-06-01T12:01:00Z (1m0s more).",
		},
	} {
		state := busy()
		state.Hold, state.CoolDown = c.hold, c.coolDown
		if got := c.order.did(answer.BucketOf(state), now); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// An egress is in use while slots were given within a horizon.
func TestLimitStanding(t *testing.T) {
	t.Parallel()
	state := busy()
	for ago, want := range map[time.Duration]string{-time.Second: "in use", 9 * time.Second: "in use", 10 * time.Second: "idle"} {
		state.LastGrant = ago
		if got, _ := (limitPage{Bucket: answer.BucketOf(state)}).standing(); got != want {
			t.Errorf("with the last slot %v ago the egress is %s, want %s", ago, got, want)
		}
	}
}

// The share is of full cells that the bucket has lived through.
func TestLimitShare(t *testing.T) {
	t.Parallel()
	state := busy()
	for _, c := range []struct {
		age       time.Duration
		share, of float64
	}{
		{time.Hour, 280.0 / 300, 60},
		{25 * time.Second, 46.0 / 50, 10},
		{15 * time.Second, 0, 0},
	} {
		state.Age = c.age
		if got := answer.BucketOf(state); got.Share != c.share || got.ShareOf != c.of {
			t.Errorf("at an age of %v the share is %v of %v s, want %v of %v s", c.age, got.Share, got.ShareOf, c.share, c.of)
		}
	}
}
