package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/netresearch/go-cron"
)

// Schedule says when rounds are due.
type Schedule struct {
	every time.Duration // 0: by cron
	cron  cron.Schedule
	zone  *time.Location
}

// shortest is the minimum time between two rounds: a second is for trials.
const shortest = time.Second

// Every is a round every d, counted from the first one.
func Every(d time.Duration) (Schedule, error) {
	if d < shortest {
		return Schedule{}, fmt.Errorf("%s: want at least %s", d, shortest)
	}
	return Schedule{every: d}, nil
}

// Cron is a round at the instants of a cron expression (five fields: minute,
// hour, day, month, weekday; or @hourly, @daily and so on) on the clocks of a
// time zone. When these are put forward, what falls into the hour that is not
// there is due an hour later; when they are put back, what falls into the hour
// that is there twice is due twice.
func Cron(expression string, zone *time.Location) (Schedule, error) {
	switch {
	case strings.Contains(expression, "TZ="):
		return Schedule{}, errors.New("leave the time zone out: --timezone says it")
	case strings.HasPrefix(strings.TrimSpace(expression), "@every"):
		return Schedule{}, errors.New("@every: --every says that")
	}
	parsed, err := cron.StandardParser().Parse(expression)
	if err != nil {
		return Schedule{}, fmt.Errorf("reading the cron expression: %w (want five fields, such as \"0 */2 * * *\")", err)
	}
	s := Schedule{cron: parsed, zone: zone}
	if s.after(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, errors.New("there is no such day")
	}
	return s, nil
}

// Due is one turn of the schedule.
type Due struct {
	At time.Time
	// Missed counts the turns before it that no round was begun for.
	Missed int
}

// maxMissed bounds the count: after so long an absence the exact number does not matter.
const maxMissed = 1000

// Before is a turn that a schedule which begins now would have had last: an
// interval is due at once, cron at its next instant.
func (s Schedule) Before(now time.Time) time.Time { return now.Add(-s.every) }

// Next is the turn after the one at last, as it looks now: one that is yet to
// come, or the latest of those that have come already.
func (s Schedule) Next(last, now time.Time) Due {
	if s.every > 0 {
		return s.nextInterval(last, now)
	}
	if last.After(now) { // the clock was set back
		last = now
	}
	due := Due{At: s.after(last)}
	for due.At.Before(now) {
		next := s.after(due.At)
		if next.After(now) {
			break
		}
		if due.Missed++; due.Missed == maxMissed {
			return Due{now, maxMissed}
		}
		due.At = next
	}
	return due
}

func (s Schedule) nextInterval(last, now time.Time) Due {
	next := last.Add(s.every)
	switch behind := now.Sub(next); {
	case behind < -s.every: // last is in the future: the clock was set back
		return Due{At: now.Add(s.every)}
	case behind < 0:
		return Due{At: next}
	default:
		missed := int(behind / s.every)
		return Due{next.Add(time.Duration(missed) * s.every), missed}
	}
}

func (s Schedule) after(t time.Time) time.Time {
	next := s.cron.Next(t.In(s.zone))
	if next.IsZero() {
		return next
	}
	return next.UTC()
}
