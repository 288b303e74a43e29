package round

import (
	"maps"
	"slices"
	"time"

	"mirrorfleet/shared/job"
)

// Progress is how far a round has come; it is derived from the records alone.
type Progress struct {
	Planned, Queued, Running, Done, Failed int
	// Degraded counts the done ones that lack an answer.
	Degraded int
	// Retrying counts the queued ones that have failed before.
	Retrying int
	// Requests is what ended attempts have made; Remaining is an estimate of
	// what is still to come, 0 when nothing is known yet.
	Requests, Remaining int
}

// Outstanding is what has not ended.
func (p Progress) Outstanding() int { return p.Queued + p.Running }

// ETA is the time that the remaining requests take at the limit's rate
// (requests a second), 0 when there is nothing to derive it from.
func (p Progress) ETA(rate float64) time.Duration {
	if p.Remaining == 0 || rate <= 0 {
		return 0
	}
	return time.Duration(float64(p.Remaining) / rate * float64(time.Second))
}

// tally holds the last record of each job of a round.
type tally map[int]job.Record

func (t tally) progress() Progress {
	var p Progress
	known, knownRequests := 0, 0
	for _, uid := range slices.Sorted(maps.Keys(t)) {
		r := t[uid]
		p.Planned++
		p.Requests += r.Requests
		switch r.Phase {
		case job.Planned:
			p.Queued++
			if r.Failures > 0 {
				p.Retrying++
			}
		case job.Running:
			p.Running++
			p.Remaining += r.Expected
		case job.Done:
			p.Done++
			if r.Degraded {
				p.Degraded++
			}
		case job.Failed:
			p.Failed++
		}
		if size := max(r.Expected, r.Requests); size > 0 {
			known++
			knownRequests += size
		}
	}
	if known > 0 {
		p.Remaining += p.Queued * knownRequests / known
	}
	return p
}

// ended says whether every job of the round has a record, and every record
// has ended.
func (t tally) ended(jobs int) bool {
	if len(t) < jobs {
		return false
	}
	for _, r := range t {
		if !r.Phase.Ended() {
			return false
		}
	}
	return true
}
