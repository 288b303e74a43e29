package bucket

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// Line is who waits at a bucket, for inspection alone: no slot depends on it. It
// lies in the record beside the State. The zero Line is empty.
type Line struct {
	// Swept is the stretch of CellLength in which the line was last cleared of
	// those who are gone.
	Swept   int64
	Waiters map[string]Waiter
}

// Waiter is one process that waits. Instants are by the server's clock.
type Waiter struct {
	Until   int64 // when it uses its last slot, or asks again; past that it is gone
	Since   int64 // since when its first request has waited
	Waiting int64 // how many of its requests wait
}

// Note takes down who asked and was answered, once in a stretch without those
// who are gone by then. So the line holds no more than have asked in a stretch.
func (l Line) Note(clock int64, in Request, reply Reply) Line {
	if !in.Reserve || in.Process == "" {
		return l
	}
	l.Waiters = maps.Clone(l.Waiters)
	if l.Waiters == nil {
		l.Waiters = map[string]Waiter{}
	}
	if stretch := clock / CellLength; stretch != l.Swept {
		l.Swept = stretch
		maps.DeleteFunc(l.Waiters, func(_ string, w Waiter) bool { return !w.waits(clock) })
	}
	until := clock + reply.Slot(max(reply.Count-1, 0), in.Interval).Wait // the last slot, where there are any
	l.Waiters[in.Process] = Waiter{Until: until, Since: clock - in.Waited, Waiting: in.Waiting}

	return l
}

// waits tells whether a waiter is still expected to. None waits for longer than
// that: the clock has stepped back.
func (w Waiter) waits(clock int64) bool { return w.Until >= clock && w.Until <= clock+Longest }

// Waiting returns those who wait at an instant of the server's clock.
func (l Line) Waiting(clock int64) map[string]Waiter {
	waiting := maps.Clone(l.Waiters)
	maps.DeleteFunc(waiting, func(_ string, w Waiter) bool { return !w.waits(clock) })

	return waiting
}

// waiterField begins the name of a waiter's field in the record: "p:<process>"
// with "<until>:<since>:<waiting>".
const waiterField = "p:"

// ParseLine reads the line of a record. What is not as the script writes it is
// left out: it is for show.
func ParseLine(record map[string]string) Line {
	line := Line{Waiters: map[string]Waiter{}}
	line.Swept, _ = strconv.ParseInt(record["swept"], 10, 64)
	for field, text := range record {
		name, found := strings.CutPrefix(field, waiterField)
		if !found {
			continue
		}
		var w Waiter
		if _, err := fmt.Sscanf(text, "%d:%d:%d", &w.Until, &w.Since, &w.Waiting); err == nil {
			line.Waiters[name] = w
		}
	}

	return line
}
