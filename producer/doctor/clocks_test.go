//nolint:thelper // what takes a *testing.T here is a scenario, not a helper
package doctor_test

import (
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/doctor"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// clock was read halfway through so long a trip, and is so far ahead.
func clock(name string, ahead, trip time.Duration) doctor.Clock {
	return doctor.ClockOf(name, doctor.Reading{Before: noon, After: noon.Add(trip), Server: noon.Add(trip/2 + ahead)}, 0)
}

// dated is a mirror's clock by its whole seconds.
func dated(ahead, trip time.Duration) doctor.Clock {
	at := noon.Add(trip/2 + ahead).Truncate(time.Second)
	c := doctor.ClockOf("the mirror", doctor.Reading{Before: noon, After: noon.Add(trip), Server: at}, time.Second)
	c.Foreign = true
	return c
}

func clockScenarios() map[string]scenario {
	judged := func(ahead, behind string, others ...doctor.Clock) func(*testing.T) []doctor.Finding {
		return func(t *testing.T) []doctor.Finding {
			found := doctor.JudgeClocks(append([]doctor.Clock{{Name: "this machine"}, clock("Redis", 0, time.Millisecond)}, others...))
			if len(found) != 1 || !strings.Contains(found[0].Text, "clock of "+ahead+" ") || !strings.HasSuffix(found[0].Text, "that of "+behind) {
				t.Errorf("%+v, want one finding, of %s and %s", found, ahead, behind)
			}
			return found
		}
	}
	const ms = time.Millisecond
	return map[string]scenario{
		"a clock far ahead":    {doctor.ClocksDiffer, doctor.Fault, judged("n1", "this machine", clock("n1", time.Minute, ms))},
		"a clock a bit behind": {doctor.ClocksDiffer, doctor.Warning, judged("this machine", "n1", clock("n1", -3*time.Second, ms))},
		// Each is within 15 s of this machine's.
		"two clocks either way": {doctor.ClocksDiffer, doctor.Fault, judged("n2", "n1", clock("n1", -9*time.Second, ms), clock("n2", 9*time.Second, ms))},
		"a mirror far behind":   {doctor.ClocksDiffer, doctor.Warning, judged("this machine", "the mirror", dated(-time.Minute, 80*ms))},
	}
}

// TestDoubtCountsForTheClocks: what a slow network adds, and the fraction of a
// second that a mirror leaves out, are not held against a clock.
func TestDoubtCountsForTheClocks(t *testing.T) {
	t.Parallel()
	for name, others := range map[string][]doctor.Clock{
		"a slow answer":           {clock("n1", 10*time.Second, 20*time.Second)},
		"two slow answers":        {clock("n1", 2*time.Second, 3*time.Second), clock("n2", -2*time.Second, 3*time.Second)},
		"a mirror's whole second": {dated(999*time.Millisecond, time.Second), dated(-time.Second, time.Second)},
		"none but this machine's": nil,
	} {
		found := doctor.JudgeClocks(append([]doctor.Clock{{Name: "this machine"}}, others...))
		if len(found) != 1 || found[0].Status != doctor.OK {
			t.Errorf("%s: %+v, want nothing held against it", name, found)
		}
	}
}
