package round

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// slack is how much longer than its lease a silent claim keeps its job. It lets the
// server's own redelivery come first wherever the server's clock is right.
const slack = 750 * time.Millisecond

// lives are the outstanding jobs of a round, with the instants at which their records
// were last seen to change. All instants come from one monotonic clock, the caller's, so
// that setting a server's wall clock changes nothing.
type lives struct {
	lease  time.Duration // of a claim that does not say its own
	wanted map[int]int   // the replay number of each job, by uid; 0 for the round itself
	of     map[int]life
	// idle is the instant since which every look has found a waiting worker; zero if the
	// last look has found none.
	idle time.Time
}

// life is one job that has not ended.
type life struct {
	record job.Record
	since  time.Time // when the record was first seen in this state
	// taken says that this producer has taken the job back: no worker has it, although
	// the server may still wait for an acknowledgement.
	taken bool
}

// sign identifies a state of a record: any change of it is a sign of life.
type sign struct {
	phase                                      job.Phase
	replay, deliveries, failures, lapses, beat int
	claim                                      string
}

func signOf(r job.Record) sign {
	s := sign{
		phase:      r.Phase,
		replay:     r.Replay,
		deliveries: r.Deliveries,
		failures:   r.Failures,
		lapses:     r.Lapses,
	}
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

// note takes a record, and reports whether it has changed since it was seen last. The
// same state seen again is no sign of life. Records of an earlier replay are ignored.
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

// handedOut counts the outstanding jobs that were given to a worker at least once.
func (l *lives) handedOut() (n int) {
	for _, one := range l.of {
		if one.record.Deliveries > 0 {
			n++
		}
	}
	return n
}

// blind discounts a time for all jobs. While NATS did not answer this producer, no worker
// could show a sign of life either; without this, every claim would lapse at once when
// NATS comes back.
func (l *lives) blind(d time.Duration) {
	for uid, one := range l.of {
		one.since = one.since.Add(d)
		l.of[uid] = one
	}
	if !l.idle.IsZero() {
		l.idle = l.idle.Add(d)
	}
}

// look notes whether a worker waits for a job, and lists by uid the jobs that need
// something done: running ones whose claims have lapsed, and planned ones whose messages
// the server withholds.
func (l *lives) look(out jobstream.HandOut, now time.Time) []life {
	switch {
	case !out.Idle:
		l.idle = time.Time{}
	case l.idle.IsZero():
		l.idle = now
	}
	var due []life
	for _, uid := range slices.Sorted(maps.Keys(l.of)) {
		if one := l.of[uid]; l.lapsed(one, now) || l.withheld(one, out.MaxDeliver, now) {
			due = append(due, one)
		}
	}
	return due
}

// patience is how long a record may stay unchanged: the lease that its claim says, or the
// stream's, and slack.
func (l *lives) patience(r job.Record) time.Duration {
	lease := l.lease
	if r.Claim != nil {
		lease = cmp.Or(r.Claim.For, lease)
	}
	return lease + slack
}

// lapsed reports whether a claim has shown no sign of life for its whole patience.
func (l *lives) lapsed(one life, now time.Time) bool {
	return one.record.Phase == job.Running && now.Sub(one.since) >= l.patience(one.record)
}

// withheld reports whether the server keeps a planned job from workers that wait. It is
// not enough that both wait: the job's message may still be with a worker that died before
// it claimed the record, or in the delay before a retry. But a worker that waits has been
// given everything that may be handed out. So a job that no waiting worker is given for the
// longest time that a delivery, its delay and its lease can take is held back by the
// server's clock.
//
// Two cases differ. A job that this producer has taken back is due at the next look: all
// that is possible until then is that a worker was just given it, and claims it. A message
// whose deliveries are used up is not withheld: the server's advisory, or the reconciler,
// turns it into a dead letter.
func (l *lives) withheld(one life, maxDeliver int, now time.Time) bool {
	r := one.record
	if r.Phase != job.Planned || l.idle.IsZero() || r.Claim != nil && maxDeliver > 0 && r.Claim.Delivery >= uint64(maxDeliver) {
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

// lapse takes back the claim whose last sign of life was seen, and returns the record to
// write. The job is dead if it has lapsed as often as a message may be delivered (maxDeliver), or
// if its message has no delivery left. The record's own count is needed because the server
// counts the deliveries of a copy from the beginning. A maxDeliver below 1 sets no limit.
func lapse(record job.Record, seen job.Claim, maxDeliver int, now time.Time) (job.Record, error) {
	taken, err := record.Lapsed(seen.ID, seen.Beat, now)
	died := max(uint64(taken.Lapses), seen.Delivery)
	if err != nil || maxDeliver < 1 || died < uint64(maxDeliver) {
		return taken, err
	}
	return exhaust(taken, jobstream.Exhausted{Replay: taken.Replay, Sequence: seen.Sequence, Deliveries: died}, now)
}
