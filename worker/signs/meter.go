package signs

import (
	"time"

	"mirrorfleet/shared/job"
)

// meter counts the permits of the last minute. Its zero value is ready.
type meter struct{ readings []reading }

// reading is a count at an instant of the process's monotonic clock.
type reading struct {
	at      time.Time
	granted int64
}

// take notes a count, and forgets those that a minute needs no more.
func (m *meter) take(now time.Time, granted int64) {
	m.readings = append(m.readings, reading{now, granted})
	for len(m.readings) > 2 && now.Sub(m.readings[1].at) >= time.Minute {
		m.readings = m.readings[1:]
	}
}

// lastMinute is how many permits there were, and in which time: the shortest one of at least
// a minute that the readings cover, or all of it where they cover less.
func (m *meter) lastMinute() (permits int64, of time.Duration) {
	first, last := m.readings[0], m.readings[len(m.readings)-1]
	return last.granted - first.granted, last.at.Sub(first.at)
}

// share is which part of an egress's limit so many permits were. A time of less than a window
// counts as one, because the limit holds for windows.
func share(permits int64, of time.Duration, l job.WorkerLimit) float64 {
	if l.Limit < 1 || l.Window <= 0 {
		return 0
	}
	windows := max(of, l.Window).Seconds() / l.Window.Seconds()
	return float64(permits) / (float64(l.Limit) * windows)
}
