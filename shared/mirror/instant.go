package mirror

import (
	"fmt"
	"strings"
	"time"
)

// parseInstant reads a date as UTC, to the microsecond, in the forms of ISO
// 8601 that the validator's parser takes: a date, any one character, and a time
// down to the hour, minute, second or fraction, with separators or without; one
// without an offset is UTC. Not taken, though the validator would: dates by
// week, which GitHub has none of.
func parseInstant(s string) (time.Time, error) {
	no := fmt.Errorf("%.60q is no date", s)
	s = strings.TrimSpace(s)
	if date, ok := strings.CutSuffix(s, "Z"); ok {
		s = date + "+00:00"
	}
	layout := "20060102"
	if len(s) > 4 && s[4] == '-' {
		layout = "2006-01-02"
	}
	if len(s) < len(layout) {
		return time.Time{}, no
	}
	day, err := time.Parse(layout, s[:len(layout)])
	if err != nil || day.Year() == 0 {
		return time.Time{}, no
	}
	_, clock, timed := cutRune(s[len(layout):])
	if !timed {
		return day, nil
	}
	since, ok := timeOfDay(clock)
	if !ok {
		return time.Time{}, no
	}
	t := day.Add(since).Truncate(time.Microsecond)
	if t.Year() < 1 || t.Year() > 9999 { // the years that Python knows
		return time.Time{}, no
	}
	return t, nil
}

// cutRune cuts off the first character, whatever it is.
func cutRune(s string) (first, rest string, ok bool) {
	for i := range s {
		if i > 0 {
			return s[:i], s[i:], true
		}
	}
	return s, "", s != ""
}

// timeOfDay is the time since midnight UTC of a clock time with or without an
// offset.
func timeOfDay(s string) (time.Duration, bool) {
	clock, offset, sign := s, "", time.Duration(0)
	if i := strings.IndexAny(s, "+-"); i >= 0 {
		clock, offset, sign = s[:i], s[i+1:], 1
		if s[i] == '-' {
			sign = -1
		}
	}
	at, ok := clockTime(clock)
	if !ok || sign == 0 {
		return at, ok
	}
	by, ok := clockTime(offset)
	return at - sign*by, ok
}

// clockTime reads HH, HH:MM or HH:MM:SS, the colons all there or all absent,
// and behind the seconds a fraction.
func clockTime(s string) (time.Duration, bool) {
	const day = 24 * time.Hour
	digits, fraction, hasFraction := s, "", false
	if i := strings.IndexAny(s, ".,"); i >= 0 {
		digits, fraction, hasFraction = s[:i], s[i+1:], true
	}
	layouts := map[int]string{2: "15", 4: "1504", 5: "15:04", 6: "150405", 8: "15:04:05"}
	layout, ok := layouts[len(digits)]
	if !ok || hasFraction && (len(digits) < 6 || fraction == "") {
		return 0, false
	}
	t, err := time.Parse(layout, digits)
	if err != nil {
		return 0, false
	}
	since := t.Sub(t.Truncate(day))
	unit := 100 * time.Millisecond
	for _, r := range fraction {
		if r < '0' || r > '9' {
			return 0, false
		}
		since += time.Duration(r-'0') * unit
		unit /= 10
	}
	return since, true
}
