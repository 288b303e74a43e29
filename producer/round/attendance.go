package round

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// Sight is what a producer observes of a round apart from its records.
type Sight struct {
	// StandsBy names the producer that runs the round while this one stands by; ""
	// while this one runs it.
	StandsBy string
	Workers  Workers
	// Paused is the pause that holds back the round's jobs: of this round, or of another
	// one that shares the queue. Nil if they are handed out.
	Paused *job.RoundStop
}

// Workers says whether any worker takes the round's jobs.
type Workers struct {
	// None says that no worker does. Why is the reason; "" if all that is known is that
	// none has shown itself. Since is when a worker last did.
	None  bool
	Why   string
	Since time.Time
}

// attendance finds out whether any worker takes the jobs of a round, from what a producer
// reads anyway. A free worker waits for a job at the consumer. A busy one shows signs of
// life on the records of its jobs. All instants come from one monotonic clock, the
// caller's.
type attendance struct {
	quiet time.Duration // how long no worker may show itself before None
	alive time.Time     // when a worker showed itself last
	// refused is why the last worker that was given a job of the round handed it back,
	// for another mirror or egress; "" once a worker has begun such a job.
	refused string
	none    bool // the state that was logged last
}

// pullGap is how long a free worker may go unnoticed: it asks the consumer for a second at
// a time, and a look may fall between two requests. It is added to the time between two
// signs of life, in which a busy worker goes unnoticed.
const pullGap = 2 * time.Second

func newAttendance(lease time.Duration, now time.Time) attendance {
	return attendance{quiet: lease/job.SignsPerLease + pullGap, alive: now}
}

// note takes a record that has changed. A record that the producer itself has written, to
// take a job back, is no sign of a worker: it is planned, with no failure more. A claim
// alone does not end refused, because the worker may hand the job back again; a list of
// requests or a second sign of life does.
func (a *attendance) note(r job.Record, now time.Time) {
	switch {
	case r.Phase == job.Planned && r.Refused != "":
		a.refused = r.Refused
	case r.Phase == job.Running, r.Phase == job.Done, r.Phase == job.Planned && r.Failures > 0:
		a.alive = now
		if r.Phase != job.Running || r.Expected > 0 || r.Claim.Beat > 0 {
			a.refused = ""
		}
	}
}

// look judges what the consumer shows. own is how many of the messages that are handed out
// belong to this round. The reasons are tried in the order of what an operator can do
// about them.
func (a *attendance) look(out jobstream.HandOut, own int, now time.Time) Workers {
	if out.Idle {
		a.alive = now
	}
	w := Workers{None: a.refused != "" || now.Sub(a.alive) >= a.quiet, Why: a.refused, Since: a.alive}
	switch others := out.Out - own; {
	case !w.None || w.Why != "":
	case out.Withheld != "":
		w.Why = out.Withheld
	case others > 0:
		w.Why = fmt.Sprintf("%s of other rounds %s out", plural.Of(others, "job"), plural.Are(others))
	}
	return w
}

// blind discounts a time in which no worker could be seen, because NATS was away.
func (a *attendance) blind(d time.Duration) { a.alive = a.alive.Add(d) }

// attend reports whether any worker takes the round's jobs, and logs each change. While the
// round is paused no worker can, which says nothing about them.
func (k *keeper) attend(ctx context.Context, out jobstream.HandOut, now time.Time) {
	if k.paused != nil {
		k.workers.alive, k.workers.none = now, false
		k.cfg.Seen(Sight{Paused: k.paused})
		return
	}
	w := k.workers.look(out, k.lives.handedOut(), now)
	k.cfg.Seen(Sight{Workers: w})
	if w.None == k.workers.none {
		return
	}
	k.workers.none = w.None
	if !w.None {
		k.cfg.Log.InfoContext(ctx, "workers take the jobs of the round", "round", k.round)
		return
	}
	why := w.Why
	if why == "" {
		why = "none has shown itself for " + now.Sub(w.Since).Round(time.Second).String()
	}
	k.cfg.Log.WarnContext(ctx, "no worker takes the jobs of the round", "round", k.round, "why", why)
}
