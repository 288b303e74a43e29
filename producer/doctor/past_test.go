package doctor_test

import (
	"strings"
	"testing"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/ratelimit"
)

// TestANewcomerHasNoPast: before the first round there is no bucket, or one with
// the permits of earlier looks; only many permits without a round are a past.
func TestANewcomerHasNoPast(t *testing.T) {
	t.Parallel()
	looks, past := ratelimit.State{Egress: "looks", Granted: 9}, ratelimit.State{Egress: "past", Granted: 5000}
	for name, c := range map[string]struct {
		rounds  int
		buckets []ratelimit.State
		want    doctor.Status
	}{
		"no bucket":             {0, nil, doctor.OK},
		"the looks of doctor":   {0, []ratelimit.State{looks}, doctor.OK},
		"a fleet that works":    {1, []ratelimit.State{looks, past}, doctor.OK},
		"a fleet that was lost": {0, []ratelimit.State{looks, past}, doctor.Warning},
	} {
		found := doctor.JudgePast(c.rounds, c.buckets)
		if len(found) != 1 || found[0].Status != c.want || c.want != doctor.OK && !strings.Contains(found[0].Text, "egress past has granted 5000") {
			t.Errorf("%s: %+v, want %s", name, found, c.want)
		}
	}
}
