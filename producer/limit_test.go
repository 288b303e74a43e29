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
		goldenPage(t, "limit/"+name, "Bucket", limitPage{answer.BucketOf(state)})
	}
	other, gone := held, busy()
	other.Egress, gone.Egress, gone.LastGrant = "stranger", "old-name", 72*time.Hour
	all := []ratelimit.State{busy(), cooling, gone, other}
	all[1].Egress = "eu-2"
	declared := job.Egresses{Names: []string{"eu-1", "eu-2"}, By: "p"}
	goldenPage(t, "limit/list", "Limit", limitList{answer.LimitOf(all, declared, "eu-1")})
	goldenPage(t, "limit/list-unknown", "Limit", limitList{answer.LimitOf(all, job.Egresses{}, "default")})
}

// An egress is in use while slots were given within a horizon.
func TestLimitStanding(t *testing.T) {
	t.Parallel()
	state := busy()
	for ago, want := range map[time.Duration]string{-time.Second: "in use", 9 * time.Second: "in use", 10 * time.Second: "idle"} {
		state.LastGrant = ago
		if got, _ := (limitPage{answer.BucketOf(state)}).standing(); got != want {
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
