package job

import (
	"time"

	"mirrorfleet/shared/bounded"
)

// MaxAttempts is how many ended attempts a record lists: the last ones. A job has at most
// 20 deliveries and four failures, so only one that is replayed, or handed back, again and
// again has more. Each heartbeat writes the whole record, so the list must stay small: it
// takes a few kilobytes, and less than 100 KiB whatever a worker reports. NATS takes 1 MiB.
const MaxAttempts = 20

// Bounds of the texts of a listed attempt, in bytes. The whole text of the last failure
// stands in the record and in the dead letter.
const (
	maxAttemptError = 300
	maxAttemptName  = 100
)

// Ending is how an attempt ended.
type Ending string

// The endings. An attempt that somebody else ended together with its job has the class of
// the job's failure for its ending (Poison, Overdue, Damaged).
const (
	EndedCommitted  Ending = "committed"
	EndedDegraded   Ending = "degraded"    // committed with something missing
	EndedFailed     Ending = "failed"      // a counted failure; another attempt follows
	EndedDead       Ending = "dead"        // a failure that ended the job
	EndedHandedBack Ending = "handed back" // the worker stopped, or could not do the job
	EndedLapsed     Ending = "lapsed"      // its lease ran out without a report
)

// EndedAttempt is one attempt of a job that is over.
type EndedAttempt struct {
	Replay int `json:"replay,omitempty"`
	// Delivery is the stream's count of hand-outs of the message, as log lines and spans
	// have it. A replay's message, or one published again, counts from 1.
	Delivery uint64 `json:"delivery"`
	Worker   string `json:"worker"`
	// Began is by the worker's clock. So is Ended, unless the attempt ended without a
	// report: then it is when the end was noticed, by the clock of whoever did.
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended"`
	Ending Ending    `json:"ending"`
	// Requests counts the mirror requests of the attempt; nil if it ended without a report.
	Requests *int `json:"requests,omitempty"`
	// Class and Error are the failure's; for one that was handed back, Error is why.
	Class Class  `json:"class,omitempty"`
	Error string `json:"error,omitempty"`
	Trace string `json:"trace,omitempty"`
}

// Unlisted counts the ended attempts that the record does not list: older ones than the
// last, and those of a build that listed none.
func (r Record) Unlisted() int {
	ended := r.Deliveries
	if r.Phase == Running {
		ended--
	}
	return max(ended-len(r.Attempts), 0)
}

// over lists the running attempt as ended. Every transition that ends one calls it, before
// it changes the phase; without a running attempt there is nothing to list.
func (r Record) over(how Ending, at time.Time, requests *int, f Failure) Record {
	if r.Phase != Running || r.Claim == nil {
		return r
	}
	ended := EndedAttempt{
		Replay:   r.Replay,
		Delivery: r.Claim.Delivery,
		Worker:   r.Claim.Worker,
		Began:    r.Claim.Since,
		Ended:    at,
		Ending:   how,
		Requests: requests,
		Class:    f.Class,
		Error:    f.Error,
		Trace:    r.Trace,
	}
	// A new array: the receiver's must not change.
	list := make([]EndedAttempt, 0, len(r.Attempts)+1)
	r.Attempts = lastAttempts(append(append(list, r.Attempts...), ended.bounded()))
	return r
}

// lastAttempts are those that a record keeps.
func lastAttempts(list []EndedAttempt) []EndedAttempt { return list[max(len(list)-MaxAttempts, 0):] }

// bounded is the attempt with its texts and its count within bounds.
func (a EndedAttempt) bounded() EndedAttempt {
	for _, name := range []*string{&a.Worker, &a.Trace, (*string)(&a.Ending), (*string)(&a.Class)} {
		*name = bounded.Text(*name, maxAttemptName)
	}
	a.Error = bounded.Text(a.Error, maxAttemptError)
	if a.Requests != nil {
		requests := within(*a.Requests)
		a.Requests = &requests
	}
	return a
}
