package round

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// Sight is what a producer sees of a round beside its records.
type Sight struct {
	// StandsBy names the producer that runs the round while this one stands by; ""
	// while this one runs it.
	StandsBy string
	Workers  Workers
}

// Workers says whether anybody takes the round's jobs.
type Workers struct {
	// None says that nobody does; Why is the reason if there is one beside that
	// none has shown itself, and Since when one last did.
	None  bool
	Why   string
	Since time.Time
}

// attendance tells from what a producer sees anyway whether anybody takes the jobs
// of a round. A worker that is free waits for a job at the consumer; one that is
// busy shows signs of life on the records of its jobs. All instants are of one
// monotonic clock, the caller's.
type attendance struct {
	quiet time.Duration
	alive time.Time // when a worker showed itself last
	// refused is why the last worker that had a job of the round handed it back as
	// none of its own; "" since one has begun with such a job.
	refused string
	none    bool // as it was told last
}

// pullGap is how long a worker that is free may be seen without its wait for a
// job: each lasts a second and is followed by the next. It comes on top of the time
// between two signs of life, in which one that is busy is not seen.
const pullGap = 2 * time.Second

func newAttendance(lease time.Duration, now time.Time) attendance {
	return attendance{quiet: lease/job.SignsPerLease + pullGap, alive: now}
}

// note takes a record that has changed. What the producer itself writes, to take
// a job back, is no sign of a worker.
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

// look takes a look at the consumer, and how many of the messages that are out are
// the round's own.
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

// blind lets a time pass in which nobody could be seen.
func (a *attendance) blind(d time.Duration) { a.alive = a.alive.Add(d) }

// attend tells whether anybody takes the round's jobs, and logs each change of it.
func (k *keeper) attend(ctx context.Context, out jobstream.HandOut, now time.Time) {
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
