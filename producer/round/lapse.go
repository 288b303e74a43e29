package round

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// slack is how much longer than its lease a silent claim keeps its job: where
// the server's clock is right, its own redelivery comes first.
const slack = 750 * time.Millisecond

// lives are the outstanding jobs of a round with the instants at which their
// records were last seen to change. All instants are of one monotonic clock, the
// caller's: what somebody does to the wall clock of a server changes nothing.
type lives struct {
	lease  time.Duration // of a claim that does not say its own
	wanted map[int]int   // the replay of each job, by uid
	of     map[int]life
	// idle is since when every look has found a worker that waits for a job;
	// zero if the last look has not.
	idle time.Time
}

// life is one job that has not ended.
type life struct {
	record job.Record
	since  time.Time // when the record was first seen as it is
	// taken says that this producer took the job back: nobody has it, whatever
	// the server still waits for.
	taken bool
}

// sign tells two states of a record apart.
type sign struct {
	phase                                      job.Phase
	replay, deliveries, failures, lapses, beat int
	claim                                      string
}

func signOf(r job.Record) sign {
	s := sign{phase: r.Phase, replay: r.Replay, deliveries: r.Deliveries, failures: r.Failures, lapses: r.Lapses}
	if r.Claim != nil {
		s.claim, s.beat = r.Claim.ID, r.Claim.Beat
	}
	return s
}

func newLives(jobs []job.Job, lease time.Duration) *lives {
	l := &lives{lease: lease, wanted: make(map[int]int, len(jobs)), of: make(map[int]life, len(jobs))}
	for _, j := range jobs {
		l.wanted[j.UID] = j.Replay
	}
	return l
}

// note takes a record as it was seen, and says whether it is news; one that was
// seen so before is no sign of life.
func (l *lives) note(r job.Record, now time.Time) bool {
	replay, wanted := l.wanted[r.UID]
	known, there := l.of[r.UID]
	switch {
	case !wanted || r.Replay < replay:
		return false
	case r.Phase.Ended():
		delete(l.of, r.UID)
		return there
	case there && signOf(known.record) == signOf(r):
		return false
	}
	l.of[r.UID] = life{record: r, since: now}
	return true
}

// handedOut counts the jobs that a worker has, or had.
func (l *lives) handedOut() (n int) {
	for _, one := range l.of {
		if one.record.Deliveries > 0 {
			n++
		}
	}
	return n
}

// blind lets a time pass that counts against nobody: while this producer's own question
// was not answered, no worker could show a sign of life either.
func (l *lives) blind(d time.Duration) {
	for uid, one := range l.of {
		one.since = one.since.Add(d)
		l.of[uid] = one
	}
	if !l.idle.IsZero() {
		l.idle = l.idle.Add(d)
	}
}

// look notes whether a worker waits for a job, and lists by uid the jobs that
// something is to be done about: the running ones whose claims have lapsed, and
// the planned ones whose messages the server withholds.
func (l *lives) look(out jobstream.HandOut, now time.Time) []life {
	switch {
	case !out.Idle:
		l.idle = time.Time{}
	case l.idle.IsZero():
		l.idle = now
	}
	var due []life
	for _, uid := range slices.Sorted(maps.Keys(l.of)) {
		if one := l.of[uid]; l.lapsed(one, now) || l.withheld(one, out.Most, now) {
			due = append(due, one)
		}
	}
	return due
}

// patience is how long a record may stay as it is.
func (l *lives) patience(r job.Record) time.Duration {
	lease := l.lease
	if r.Claim != nil {
		lease = cmp.Or(r.Claim.For, lease)
	}
	return lease + slack
}

// lapsed says whether a claim has shown no sign of life in its time.
func (l *lives) lapsed(one life, now time.Time) bool {
	return one.record.Phase == job.Running && now.Sub(one.since) >= l.patience(one.record)
}

// withheld says whether a job waits though workers do. One that waits its turn
// is not meant: workers that wait have been given all that may be handed out. So
// what they are not given for the whole time that a delivery, its delay and its
// lease may take is kept back by the server's clock. A job that was taken back
// needs no such time; only a worker that was given it at the last look must have
// claimed it by now. A message whose deliveries are used up is not withheld: the
// server's word and the reconciler deal with it.
func (l *lives) withheld(one life, most int, now time.Time) bool {
	r := one.record
	if r.Phase != job.Planned || l.idle.IsZero() || r.Claim != nil && most > 0 && r.Claim.Delivery >= uint64(most) {
		return false
	}
	since := one.since
	if l.idle.After(since) {
		since = l.idle
	}
	if one.taken {
		return now.After(since)
	}
	wait := l.patience(r)
	if r.Failure != nil {
		wait += r.Failure.Delay
	}
	return now.Sub(since) >= wait
}

// lapse is the record of a job whose claim has lapsed at the sign of life that
// was seen last. It is dead if so many attempts have ended without a word, or if
// its message has no delivery left. The count outlives a message that is replaced
// by a copy, whose deliveries the server counts anew.
func lapse(record job.Record, seen job.Claim, most int, now time.Time) (job.Record, error) {
	taken, err := record.Lapsed(seen.ID, seen.Beat)
	died := max(uint64(taken.Lapses), seen.Delivery)
	if err != nil || most < 1 || died < uint64(most) {
		return taken, err
	}
	return exhaust(taken, jobstream.Exhausted{Replay: taken.Replay, Sequence: seen.Sequence, Deliveries: died}, now)
}
