package round

import (
	"context"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Slack is the time after its lease for which a silent claim keeps its job.
const Slack = slack

// Lives decides about leases on what a test has seen.
type Lives struct{ l *lives }

// NewLives follows jobs.
func NewLives(jobs []job.Job, lease time.Duration) Lives { return Lives{newLives(jobs, lease)} }

// Note takes in a record as a test has seen it.
func (l Lives) Note(r job.Record, now time.Time) { l.l.note(r, now) }

// Blind is a time in which no sign could arrive.
func (l Lives) Blind(d time.Duration) { l.l.blind(d) }

// TakeBack is the producer's own part in taking back a lapsed claim.
func (l Lives) TakeBack(r job.Record, now time.Time) {
	l.l.of[r.UID] = life{record: r, since: now, taken: true}
}

// Look lists the uids for which something must be done.
func (l Lives) Look(out jobstream.HandOut, now time.Time) (uids []int) {
	for _, one := range l.l.look(out, now) {
		uids = append(uids, one.record.UID)
	}
	return uids
}

// Lapse is the record of a job whose claim has lapsed.
var Lapse = lapse

// TakeBack ends a claim as it was last seen, unless the record has changed since.
func (r *Runner) TakeBack(ctx context.Context, seen job.Record, maxDeliver int) (string, error) {
	return r.keeperOf(seen).takeBack(ctx, seen, maxDeliver)
}

// Renew queues a job again if its record is still as given.
func (r *Runner) Renew(ctx context.Context, seen job.Record) (string, error) {
	return r.keeperOf(seen).renew(ctx, life{record: seen, taken: true})
}

func (r *Runner) keeperOf(seen job.Record) *keeper {
	jobs := []job.Job{{Round: seen.Round, UID: seen.UID, Replay: seen.Replay}}
	return &keeper{Runner: r, round: seen.Round, lives: newLives(jobs, r.cfg.Bus.AckWait())}
}
