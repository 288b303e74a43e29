package mirror

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// parseInstant reads a date as UTC, to the microsecond, further digits cut off;
// one without an offset is UTC. It takes what the validator's parser takes,
// Python's datetime.fromisoformat of 3.12: date with or without dashes, any one
// character, time with or without colons, minutes, seconds and fraction
// optional, offset. Not taken are week dates (2026-W05-1), which no mirror
// writes, and what only slips through there (a fraction of a minute, a blank
// before the offset).
func parseInstant(s string) (time.Time, error) {
	in := strings.TrimSpace(s)
	if head, ok := strings.CutSuffix(in, "Z"); ok {
		in = head + "+00:00"
	}
	date, rest, ok := parseDate(in)
	clock, offset, inTime := parseTime(rest)
	if !ok || !inTime {
		return time.Time{}, fmt.Errorf("%.60q is no date", s)
	}
	t := date.Add(clock - offset)
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, fmt.Errorf("%.60q is outside of the years 1 to 9999", s)
	}
	// The first instant of the calendar is one, and not an absent one, which the
	// zero time stands for. A nanosecond more is the same microsecond.
	if t.IsZero() {
		t = t.Add(time.Nanosecond)
	}
	return t, nil
}

// parseDate reads the date and passes over the character after it.
func parseDate(s string) (date time.Time, rest string, ok bool) {
	layout := "20060102"
	if len(s) > 4 && s[4] == '-' {
		layout = time.DateOnly
	}
	if len(s) < len(layout) {
		return date, "", false
	}
	date, err := time.Parse(layout, s[:len(layout)])
	rest = s[len(layout):]
	if rest == "" {
		return date, "", err == nil
	}
	_, size := utf8.DecodeRuneInString(rest)
	rest = rest[size:]
	return date, rest, err == nil && rest != ""
}

// parseTime reads the time of day and the offset from UTC; no text is midnight.
func parseTime(s string) (clock, offset time.Duration, ok bool) {
	if s == "" {
		return 0, 0, true
	}
	zone := ""
	// A minus is looked for first, as there: it makes no difference to a time
	// that is one.
	for _, sign := range []string{"-", "+"} {
		if i := strings.Index(s, sign); i >= 0 {
			s, zone = s[:i], s[i:]
			break
		}
	}
	clock, parts, ok := parseClock(s)
	ok = ok && parts[0] < 24 && parts[1] < 60 && parts[2] < 60
	if zone == "" || !ok {
		return clock, 0, ok
	}
	offset, _, ok = parseClock(zone[1:])
	if zone[0] == '-' {
		offset = -offset
	}
	return clock, offset, ok && offset.Abs() < 24*time.Hour
}

// parseClock reads hh, hhmm, hhmmss or the same with colons, and a fraction of
// a second after a point or a comma.
func parseClock(s string) (clock time.Duration, parts [3]int, ok bool) {
	colons := len(s) > 2 && s[2] == ':'
	for i := range parts {
		if parts[i], ok = digits(s, 2); !ok {
			return 0, parts, false
		}
		if s = s[2:]; s == "" || i == len(parts)-1 || (!colons && (s[0] == '.' || s[0] == ',')) {
			break
		}
		if colons {
			if s[0] != ':' {
				return 0, parts, false
			}
			s = s[1:]
		}
	}
	clock = time.Duration(parts[0])*time.Hour + time.Duration(parts[1])*time.Minute + time.Duration(parts[2])*time.Second
	fraction, ok := parseFraction(s)
	return clock + fraction, parts, ok
}

func parseFraction(s string) (time.Duration, bool) {
	if s == "" {
		return 0, true
	}
	if s[0] != '.' && s[0] != ',' {
		return 0, false
	}
	s = s[1:]
	if _, ok := digits(s, len(s)); !ok {
		return 0, false
	}
	micros, _ := digits((s + "000000")[:6], 6)
	return time.Duration(micros) * time.Microsecond, true
}

// digits reads the first n characters, at least one, as a number. One of more
// digits than a number holds has a meaningless value, but is one.
func digits(s string, n int) (value int, ok bool) {
	if len(s) < n || n == 0 {
		return 0, false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		value = value*10 + int(s[i]-'0')
	}
	return value, true
}
