package ratelimit_test

import (
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// The pace is that of docs/limit.md. The bucket of a limiter with the same settings keeps
// to it.
func TestPace(t *testing.T) {
	t.Parallel()
	p := must.Get(ratelimit.Config{}.Effective())(t)
	if p.Interval != 213542*time.Microsecond || p.Limit != 50 || p.Window != 10*time.Second || p.Horizon != 10*time.Second || p.Processes != 46 {
		t.Errorf("the mirror's limit comes to %+v", p)
	}
	if p.Rate > p.Highest || p.Highest-p.Rate > 0.001 {
		t.Errorf("rate %v of %v, want all that the formula allows", p.Rate, p.Highest)
	}
	if _, err := (ratelimit.Config{Rate: 5}).Effective(); err == nil {
		t.Error("5 a second is accepted, the formula allows 4.68")
	}
	state := ratelimit.State{Interval: p.Interval, Horizon: p.Horizon, Limit: p.Limit, Window: p.Window}
	if !p.InForce(state) {
		t.Error("equal parameters are not in force")
	}
	for _, change := range []func(*ratelimit.State){
		func(s *ratelimit.State) { s.Interval++ }, func(s *ratelimit.State) { s.Horizon++ },
		func(s *ratelimit.State) { s.Limit++ }, func(s *ratelimit.State) { s.Window++ },
	} {
		other := state
		change(&other)
		if p.InForce(other) {
			t.Errorf("%+v counts as the same", other)
		}
	}
}
