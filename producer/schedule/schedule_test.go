package schedule_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/producer/schedule"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func every(t *testing.T, d time.Duration) schedule.Schedule {
	t.Helper()
	s := must.Get(schedule.Every(d))(t)
	return s
}

func cron(t *testing.T, expression, zone string) schedule.Schedule {
	t.Helper()
	location := must.Get(time.LoadLocation(zone))(t)
	s := must.Get(schedule.Cron(expression, location))(t)
	return s
}

// Turns that have passed are made up for by the latest of them, and the next one
// is where it always was.
func TestNext(t *testing.T) {
	t.Parallel()
	twoHours, even := every(t, 2*time.Hour), cron(t, "0 */2 * * *", "UTC")
	for _, c := range []struct {
		name      string
		schedule  schedule.Schedule
		last, now string
		want      string
		missed    int
	}{
		{"yet to come", twoHours, "2026-03-01T00:10:00Z", "2026-03-01T01:00:00Z", "2026-03-01T02:10:00Z", 0},
		{"just now", twoHours, "2026-03-01T00:10:00Z", "2026-03-01T02:10:00Z", "2026-03-01T02:10:00Z", 0},
		{"a moment ago", twoHours, "2026-03-01T00:10:00Z", "2026-03-01T02:10:01Z", "2026-03-01T02:10:00Z", 0},
		{"one missed", twoHours, "2026-03-01T00:10:00Z", "2026-03-01T04:10:00Z", "2026-03-01T04:10:00Z", 1},
		{"three days missed", twoHours, "2026-03-01T00:10:00Z", "2026-03-04T01:00:00Z", "2026-03-04T00:10:00Z", 35},
		{"clock set back a little", twoHours, "2026-03-01T00:10:00Z", "2026-03-01T00:05:00Z", "2026-03-01T02:05:00Z", 0},
		{"clock set back a year", twoHours, "2026-03-01T00:10:00Z", "2025-03-01T00:10:00Z", "2025-03-01T02:10:00Z", 0},
		{"cron: yet to come", even, "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "2026-03-01T02:00:00Z", 0},
		{"cron: just now", even, "2026-03-01T00:00:00Z", "2026-03-01T02:00:00Z", "2026-03-01T02:00:00Z", 0},
		{"cron: a moment ago", even, "2026-03-01T00:00:00Z", "2026-03-01T02:00:01Z", "2026-03-01T02:00:00Z", 0},
		{"cron: one missed", even, "2026-03-01T00:00:00Z", "2026-03-01T04:00:00Z", "2026-03-01T04:00:00Z", 1},
		{"cron: three days missed", even, "2026-03-01T00:00:00Z", "2026-03-04T01:00:00Z", "2026-03-04T00:00:00Z", 35},
		{"cron: a year missed", even, "2026-03-01T00:00:00Z", "2027-03-01T00:30:00Z", "2027-03-01T00:30:00Z", 1000},
		{"cron: last off the instants", even, "2026-03-01T01:30:00Z", "2026-03-01T01:40:00Z", "2026-03-01T02:00:00Z", 0},
		{"cron: clock set back a year", even, "2026-03-01T00:00:00Z", "2025-03-01T00:30:00Z", "2025-03-01T02:00:00Z", 0},
	} {
		got := c.schedule.Next(at(c.last), at(c.now))
		if !got.At.Equal(at(c.want)) || got.Missed != c.missed {
			t.Errorf("%s: got %s, %d missed; want %s, %d", c.name, got.At.Format(time.RFC3339), got.Missed, c.want, c.missed)
		}
	}
}

// A schedule that begins now: an interval is due at once, cron at its instant.
func TestTheFirstTurn(t *testing.T) {
	t.Parallel()
	now := at("2026-03-01T01:30:00Z")
	for _, c := range []struct {
		name     string
		schedule schedule.Schedule
		want     string
	}{
		{"interval", every(t, 2*time.Hour), "2026-03-01T01:30:00Z"},
		{"cron", cron(t, "0 */2 * * *", "UTC"), "2026-03-01T02:00:00Z"},
	} {
		if got := c.schedule.Next(c.schedule.Before(now), now); !got.At.Equal(at(c.want)) || got.Missed != 0 {
			t.Errorf("%s: got %+v, want %s", c.name, got, c.want)
		}
	}
}

// What falls into an hour that is not there is due one hour later on the clocks,
// what falls into one that is there twice is due twice, and an interval knows no
// clocks: nowhere is a day without its round.
func TestDaylightSaving(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		schedule   schedule.Schedule
		after      string
		wantInZone []string // with the offset
	}{
		{
			"put forward, daily", cron(t, "30 2 * * *", "Europe/Berlin"), "2026-03-28T00:00:00+01:00",
			[]string{"2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"},
		},
		{
			"put forward, every two hours", cron(t, "0 */2 * * *", "Europe/Berlin"), "2026-03-29T00:00:00+01:00",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00", "2026-03-29T06:00:00+02:00"},
		},
		{
			"put back, daily", cron(t, "30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00+02:00",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"},
		},
		{
			"put back, every two hours", cron(t, "0 */2 * * *", "Europe/Berlin"), "2026-10-25T00:00:00+02:00",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T04:00:00+01:00"},
		},
		{
			"put forward, interval", every(t, 2*time.Hour), "2026-03-29T00:30:00+01:00",
			[]string{"2026-03-29T03:30:00+02:00", "2026-03-29T05:30:00+02:00"},
		},
		{
			"put back, interval", every(t, 2*time.Hour), "2026-10-25T00:30:00+02:00",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-25T03:30:00+01:00"},
		},
	} {
		last := at(c.after)
		for _, want := range c.wantInZone {
			got := c.schedule.Next(last, last)
			if !got.At.Equal(at(want)) {
				t.Errorf("%s: after %s comes %s, want %s", c.name, last.Format(time.RFC3339), got.At.Format(time.RFC3339), want)
			}
			last = at(want)
		}
	}
}

// What is no schedule is refused, and nothing of it panics.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{"", "x", "0 0 30 2 *", "TZ=0", "CRON_TZ=UTC 0 * * * *", "TZ=", "@every 2h", "60 * * * *", "* * * *", "@never", "*/0 * * * *"} {
		if _, err := schedule.Cron(expression, time.UTC); err == nil {
			t.Errorf("cron %q: want an error", expression)
		}
	}
	if _, err := schedule.Cron("60 * * * *", time.UTC); err == nil || !strings.HasPrefix(err.Error(), "reading the cron expression: ") {
		t.Errorf("got %v, want an error that says what was read", err)
	}
	if _, err := schedule.Every(time.Millisecond); err == nil {
		t.Error("every millisecond: want an error")
	}
}
