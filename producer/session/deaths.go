package session

import (
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// stillborn is how many workers in a row may die before they can take a job:
// the fault is not a job's, and another start does not mend it.
const stillborn = 10

// deaths counts the worker processes of a local round that died, and decides
// when to give up. A job that kills each process that takes it must come to its
// end, which is when its deliveries are used up; so what counts is not how many
// have died but whether jobs end all the same.
type deaths struct {
	workers int // how many there are: each may have such a job
	jobs    int // how many have ended
	since   int // deaths since the last of them
	unready int // deaths in a row before the worker could take a job
}

// ended notes how many jobs have ended.
func (d *deaths) ended(jobs int) {
	if jobs > d.jobs {
		d.jobs, d.since = jobs, 0
	}
}

// another counts a death and says why no worker is to be started any more, ""
// if one is.
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
