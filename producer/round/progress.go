package round

import (
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

// tally holds the last record of each job of a round, and the counts of them:
// a change costs the same however many jobs there are.
type tally struct {
	// wanted is the replay of each job whose end is waited for; what a record
	// of an earlier one says is history.
	wanted  map[int]int
	records map[int]job.Record
	counts  counts
}

// counts are sums over the records.
type counts struct {
	queued, running, done, failed, degraded, retrying int
	requests, expected                                int
	// known counts the jobs whose number of requests is known, and size is
	// the sum of those numbers.
	known, size int
}

func newTally(jobs []job.Job) *tally {
	t := &tally{wanted: make(map[int]int, len(jobs)), records: make(map[int]job.Record, len(jobs))}
	for _, j := range jobs {
		t.wanted[j.UID] = j.Replay
	}
	t.counts.queued = len(t.wanted)
	return t
}

// take replaces a job's record. One that no job has is passed over.
func (t *tally) take(r job.Record) {
	replay, wanted := t.wanted[r.UID]
	if !wanted || r.Replay < replay {
		return
	}
	if former, there := t.records[r.UID]; there {
		t.counts.add(former, -1)
	} else {
		t.counts.queued--
	}
	t.records[r.UID] = r
	t.counts.add(r, 1)
}

// add counts a record, or takes it off again (n = -1).
func (c *counts) add(r job.Record, n int) {
	c.requests += n * r.Requests
	switch r.Phase {
	case job.Planned:
		c.queued += n
		if r.Failures > 0 {
			c.retrying += n
		}
	case job.Running:
		c.running += n
		c.expected += n * r.Expected
	case job.Done:
		c.done += n
		if r.Degraded {
			c.degraded += n
		}
	case job.Failed:
		c.failed += n
	}
	if size := max(r.Expected, r.Requests); size > 0 {
		c.known += n
		c.size += n * size
	}
}

func (t *tally) progress() Progress {
	c := t.counts
	p := Progress{
		Planned: len(t.wanted), Queued: c.queued, Running: c.running, Done: c.done, Failed: c.failed,
		Degraded: c.degraded, Retrying: c.retrying, Requests: c.requests, Remaining: c.expected,
	}
	if c.known > 0 {
		p.Remaining += c.queued * c.size / c.known
	}
	return p
}

// ended says whether every job of the round has ended.
func (t *tally) ended() bool { return t.counts.queued+t.counts.running == 0 }
