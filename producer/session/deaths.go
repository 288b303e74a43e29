package session

import (
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// stillborn is how many workers in a row may die before they can take a job. No job is
// to blame for such deaths, and another start does not help.
const stillborn = 10

// deaths counts the worker processes of a local round that died, and decides when to
// give up. A job that kills every process that takes it must be allowed to use up its
// deliveries, because only then it becomes a dead letter. So the number of deaths alone
// does not count: the limit is on deaths while no job ends.
type deaths struct {
	workers int // worker processes: each may have such a job at the same time
	jobs    int // jobs that have ended
	since   int // deaths since a job ended last
	unready int // deaths in a row of workers that could not take a job yet
}

// ended notes how many jobs have ended in all.
func (d *deaths) ended(jobs int) {
	if jobs > d.jobs {
		d.jobs, d.since = jobs, 0
	}
}

// another counts a death. It returns why no further worker is started, or "" if a
// replacement is. The limit lets every worker, and one more, use up a job's deliveries
// before a job must have ended.
func (d *deaths) another(wasReady bool) (hopeless string) {
	d.since++
	d.unready++
	if wasReady {
		d.unready = 0
	}
	switch limit := (d.workers + 1) * jobstream.DefaultMaxDeliver; {
	case d.unready > stillborn:
		return plural.Of(d.unready, "worker") + " in a row died before they could take a job"
	case d.since > limit:
		return plural.Of(d.since, "worker") + " died and no job ended"
	}
	return ""
}
