package estimate_test

import (
	"math"
	"testing"
	"time"

	"mirrorfleet/producer/estimate"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// reading is the usual limit's bucket after so many permits.
func reading(granted int64) estimate.Reading {
	return estimate.Reading{Granted: granted, Rate: 5, Limit: 50, Window: 10 * time.Second}
}

// granting is a meter of so many seconds in which a number of permits was granted
// each, beginning at noon with a bucket that has granted before.
func granting(perSecond ...int64) (*estimate.Meter, time.Time) {
	m := &estimate.Meter{}
	granted := int64(1000)
	now := noon
	m.Read(reading(granted), now)
	for _, n := range perSecond {
		granted, now = granted+n, now.Add(time.Second)
		m.Read(reading(granted), now)
	}
	return m, now
}

func TestLeft(t *testing.T) {
	t.Parallel()
	m, now := granting(5, 5, 5, 5)
	for name, c := range map[string]struct {
		work  estimate.Work
		rest  time.Duration
		want  time.Duration
		known bool
	}{
		"nothing known":               {estimate.Work{Untold: 100}, 0, 0, false},
		"what is told and what isn't": {estimate.Work{Told: 30, ToldAt: now, Untold: 20, Known: true}, 0, 10 * time.Second, true},
		"granted since it was told":   {estimate.Work{Told: 30, ToldAt: now.Add(-2 * time.Second), Known: true}, 0, 4 * time.Second, true},
		"all of it, and more":         {estimate.Work{Told: 5, ToldAt: noon, Known: true}, 0, 0, true},
		"a rest first":                {estimate.Work{Untold: 50, Known: true}, time.Minute, 70 * time.Second, true},
		"a retry is the last": {
			estimate.Work{Untold: 10, Known: true, LastRetry: now.Add(30 * time.Second), RetryNeeds: 10}, 0, 32 * time.Second, true,
		},
		"a retry that is due already": {
			estimate.Work{Untold: 50, Known: true, LastRetry: now.Add(-time.Second), RetryNeeds: 10}, 0, 10 * time.Second, true,
		},
		"a retry after the rest": {
			estimate.Work{Untold: 5, Known: true, LastRetry: now, RetryNeeds: 10}, time.Minute, 62 * time.Second, true,
		},
		"more than there is time for": {
			estimate.Work{Untold: math.MaxInt, Known: true, LastRetry: now.Add(math.MaxInt64), RetryNeeds: math.MaxInt},
			math.MaxInt64, 2000 * time.Hour, true,
		},
		"less than nothing": {estimate.Work{Untold: -5, Known: true, LastRetry: now, RetryNeeds: -1}, 0, 0, true},
	} {
		if got, known := c.work.Left(now, m, c.rest); got != c.want || known != c.known {
			t.Errorf("%s: %s, %v; want %s, %v", name, got, known, c.want, c.known)
		}
	}
	if _, known := (estimate.Work{Untold: 5, Known: true}).Left(now, &estimate.Meter{}, 0); known {
		t.Error("without a bucket, a time left is known")
	}
}

// The share is that of the last minute, and since the first permit in a round that
// is younger: what was long ago, and the pause before it, count for nothing.
func TestShareIsThatOfTheLastMinute(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		perSecond []int64
		want      float64
	}{
		"nothing yet":                {nil, 0},
		"a pause, then all of it":    {[]int64{0, 0, 0, 5, 5, 5, 5}, 1},
		"half of it":                 {[]int64{1, 4, 1, 4, 2, 3}, 0.5},
		"a busy minute, an idle one": {append(many(60, 5), many(60, 0)...), 0},
		"an idle minute, a busy one": {append(many(60, 0), many(60, 5)...), 1},
		"thirty seconds of each":     {append(many(300, 5), many(30, 0)...), 0.5},
	} {
		m, _ := granting(c.perSecond...)
		if got := m.Share(); got != c.want {
			t.Errorf("%s: %g, want %g", name, got, c.want)
		}
	}
}

// The pace is what went out in the last minute while it could: neither a rest nor
// the first seconds make it slow, and it is never faster than the limit.
func TestPace(t *testing.T) {
	t.Parallel()
	slow, _ := granting(many(30, 2)...)
	if got := slow.Pace(); got != 2 {
		t.Errorf("of slow workers: %g, want 2", got)
	}
	begun, _ := granting(1, 1, 1)
	if got := begun.Pace(); got != 5 {
		t.Errorf("in the first seconds: %g, want the limit's", got)
	}
	burst, _ := granting(many(30, 9)...)
	if got := burst.Pace(); got != 5 {
		t.Errorf("faster than the limit: %g, want the limit's", got)
	}
	rested, now := granting(many(20, 4)...)
	for range 30 {
		now = now.Add(time.Second)
		rest := reading(1080)
		rest.Rests = true
		rested.Read(rest, now)
	}
	if got := rested.Pace(); got != 4 {
		t.Errorf("after a rest: %g, want 4", got)
	}
	rested.Read(reading(1084), now.Add(time.Second))
	if got := rested.Pace(); got != 4 {
		t.Errorf("after the last second of a rest: %g, want 4", got)
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	m, now := granting(many(120, 4)...)
	for ago, want := range map[time.Duration]int{
		0: 0, time.Second: 4, 2500 * time.Millisecond: 10, time.Minute: 240, time.Hour: 240, -time.Second: 0,
	} {
		if got := m.Since(now.Add(-ago)); got != want {
			t.Errorf("since %s: %d, want %d", ago, got, want)
		}
	}
	if got := m.Granted(); got != 480 {
		t.Errorf("%d granted in all, want 480", got)
	}
}

// A bucket that was lost begins anew; no count is ever negative.
func TestMeterSurvivesABucketThatBeganAnew(t *testing.T) {
	t.Parallel()
	m, now := granting(5, 5, 5)
	m.Read(reading(3), now.Add(time.Second))
	if m.Granted() != 0 || m.Share() != 0 || m.Since(noon) != 0 || m.Pace() != 5 {
		t.Errorf("%d granted, a share of %g, %d since noon at %g; want none, at the limit's pace", m.Granted(), m.Share(), m.Since(noon), m.Pace())
	}
}

func many(n int, each int64) (all []int64) {
	for range n {
		all = append(all, each)
	}
	return all
}
