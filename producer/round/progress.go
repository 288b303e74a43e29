package round

import (
	"time"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/shared/job"
)

// Progress is how far a round is. It is derived from the records alone.
type Progress struct {
	// Planned = Queued + Running + Done + Failed, counted in jobs.
	Planned, Queued, Running, Done, Failed int
	// Degraded counts the done jobs that lack an answer.
	Degraded int
	// Retrying counts the queued jobs that have failed before. NextRetry is when the
	// first of them gets its next attempt, and Trouble is how it failed.
	Retrying  int
	NextRetry time.Time
	Trouble   string
	// Stalled counts the running jobs whose worker gets no answer from the mirror. Stall
	// says why, and Asked is when the first of these workers asks again.
	Stalled int
	Stall   string
	Asked   time.Time
	// Requests counts the requests of attempts that have ended.
	Requests int
	// Work is the work that is left, for the estimate of the remaining time.
	Work estimate.Work
}

// Outstanding counts the jobs that have not ended.
func (p Progress) Outstanding() int { return p.Queued + p.Running }

// tally holds the last record of each job of a round, and sums over them. The sums are
// kept up to date change by change, so that a change costs the same in a large round.
type tally struct {
	// wanted is the replay number of each job, by uid. A record of an earlier replay is
	// history and does not count.
	wanted  map[int]int
	records map[int]job.Record
	counts  counts
	// open are the jobs of which more than the phase is known: running ones, and planned
	// ones that have failed before.
	open map[int]told
}

// told is a record with the instant at which it was seen.
type told struct {
	record job.Record
	at     time.Time
}

// counts are sums over the records.
type counts struct {
	queued, running, done, failed, degraded, retrying int
	requests                                          int
	// known counts the jobs whose total number of requests is known, because they have
	// ended or have read their lists; size is the sum of these numbers.
	known, size int
}

func newTally(jobs []job.Job) *tally {
	t := &tally{wanted: make(map[int]int, len(jobs)), records: make(map[int]job.Record, len(jobs)), open: map[int]told{}}
	for _, j := range jobs {
		t.wanted[j.UID] = j.Replay
	}
	t.counts.queued = len(t.wanted)
	return t
}

// take replaces a job's record by one that was seen at an instant. A record of no job of
// the round, or of an earlier replay, is ignored.
func (t *tally) take(r job.Record, now time.Time) {
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
	delete(t.open, r.UID)
	if r.Phase == job.Running || r.Phase == job.Planned && (r.Failures > 0 || r.Left > 0) {
		t.open[r.UID] = told{r, now}
	}
}

// add counts a record (n = 1), or removes it from the counts (n = -1).
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
	case job.Done:
		c.done += n
		if r.Degraded {
			c.degraded += n
		}
	case job.Failed:
		c.failed += n
	}
	if size := r.Requests + r.Expected; r.Expected > 0 || r.Phase.Ended() && size > 0 {
		c.known += n
		c.size += n * size
	}
}

// progress makes the counts and the estimate's input. The mean of the known jobs, rounded
// up, stands for those that are queued.
func (t *tally) progress() Progress {
	c := t.counts
	p := Progress{
		Planned:  len(t.wanted),
		Queued:   c.queued,
		Running:  c.running,
		Done:     c.done,
		Failed:   c.failed,
		Degraded: c.degraded,
		Retrying: c.retrying,
		Requests: c.requests,
	}
	mean := 0
	if c.known > 0 {
		mean = (c.size + c.known - 1) / c.known
	}
	p.Work = estimate.Work{Known: c.known > 0, Untold: c.queued * mean}
	o := opened{p: &p, mean: mean}
	for _, one := range t.open {
		o.add(one)
	}
	if o.speakers > 0 {
		p.Work.ToldAt = o.first.Add(o.ages / time.Duration(o.speakers))
	}
	return p
}

// ended reports whether every job of the round has ended.
func (t *tally) ended() bool { return t.counts.queued+t.counts.running == 0 }
