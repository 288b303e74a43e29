package round

import (
	"time"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/shared/job"
)

// opened adds up what is known of the open jobs of a tally, for the estimate of the time
// that is left.
type opened struct {
	p    *Progress
	mean int // requests of a job, rounded up
	// speakers counts the running jobs that have said how many requests they need; ages
	// is the sum of the instants at which they did, counted from first, for the average.
	speakers int
	first    time.Time
	ages     time.Duration
}

// add adds one open job: a planned one that has failed before, or a running one.
func (o *opened) add(one told) {
	r := one.record
	if r.Phase == job.Planned {
		o.p.Work.Untold += o.needs(r) - o.mean // it was counted as one of the queued
		o.waits(one)
		return
	}
	if stall := r.Claim.Stall; stall != nil {
		o.p.Stalled++
		if asked := one.at.Add(stall.For); o.p.Stalled == 1 || asked.Before(o.p.Asked) {
			o.p.Stall, o.p.Asked = stall.Why, asked
		}
	}
	if r.Expected == 0 { // it does not know its list yet
		o.p.Work.Untold += o.needs(r)
		return
	}
	if o.speakers == 0 {
		o.first = one.at
	}
	o.speakers++
	o.ages += one.at.Sub(o.first)
	o.p.Work.Told += r.Left
}

// needs is how many requests the next attempt of a job takes: its lists again, and the
// files that the last attempt had not fetched; the mean if that is unknown.
func (o *opened) needs(r job.Record) int {
	if r.Left == 0 {
		return o.mean
	}
	return estimate.LookUps + r.Left
}

// waits notes a job that waits for another attempt: the earliest is shown, the latest
// bounds the estimate.
func (o *opened) waits(one told) {
	r := one.record
	if r.Failures == 0 || r.Failure == nil {
		return
	}
	at := one.at.Add(r.Failure.Delay)
	if o.p.NextRetry.IsZero() || at.Before(o.p.NextRetry) {
		o.p.NextRetry, o.p.Trouble = at, r.Failure.Error
	}
	if at.After(o.p.Work.LastRetry) {
		o.p.Work.LastRetry, o.p.Work.RetryNeeds = at, o.needs(r)
	}
}
