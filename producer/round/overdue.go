package round

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// overdue is when a round must be concluded with what it has; zero for never. A replay
// has no deadline: the round's outcome is in force already, and no later round waits.
func overdue(m job.Manifest, replay job.Replay) time.Time {
	if replay.Number > 0 {
		return time.Time{}
	}
	return m.OverdueAt
}

// errOverdue is the reason that the outcome gives for look-ups that were cut off.
var errOverdue = errors.New("the round is overdue: it does not wait any longer")

// lastLookUp is the deadline of the look-ups of maintainers: grace after the round's own
// deadline, or after now where that has passed. An overdue round still gets the grace
// time, because these few requests decide about every maintainer's cut.
func lastLookUp(overdueAt, now time.Time, grace time.Duration) time.Time {
	if overdueAt.After(now) {
		now = overdueAt
	}
	return now.Add(grace)
}

// declareOverdue waits until the round is overdue, and then ends every job that has not
// ended, as a worker would: dead letter first, then the record. A worker that is at such a
// job may still commit before that write; after it, its claim no longer matches. Messages
// that remain are removed by the workers that get them. The jobs are checked again until
// ctx ends, because a record may be lost or damaged after it was ended.
func (w *work) declareOverdue(ctx context.Context) error {
	timer := time.NewTimer(time.Until(w.overdueAt))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil // all ended in time
	}
	w.cfg.Log.WarnContext(ctx, "the round is overdue: what has not ended is dead", "round", w.m.Round, "since", w.overdueAt)
	ticker := time.NewTicker(w.cfg.Reconcile)
	defer ticker.Stop()
	for {
		err := w.giveUp(ctx, w.jobs, func(record job.Record, now time.Time) job.Failure { return overdueFailure(record, w.overdueAt, now) })
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// giveUp ends those of the jobs that have not ended, as dead letters; why says of what.
func (w *work) giveUp(ctx context.Context, jobs []job.Job, why func(job.Record, time.Time) job.Failure) error {
	// The group has no context of its own: a job whose end is begun is ended, even if ctx
	// ends because the last job has.
	group := errgroup.Group{}
	group.SetLimit(atOnce)
	for _, j := range jobs {
		group.Go(func() error {
			if err := w.giveUpOne(ctx, j, why); err != nil && ctx.Err() == nil {
				return fmt.Errorf("giving up the job of miner %d: %w", j.UID, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// giveUpOne ends one job. A job that this replay has not opened again yet is opened and ended
// by one write, so that no worker is given it. A job that this replay leaves alone may be
// open in an earlier one, because its evaluation was lost. A job that a later replay has
// opened is that replay's.
func (w *work) giveUpOne(ctx context.Context, j job.Job, why func(job.Record, time.Time) job.Failure) error {
	for {
		record, revision, err := w.recordOf(ctx, jobstream.Exhausted{Round: j.Round, UID: j.UID, Replay: j.Replay})
		now := time.Now().UTC()
		failure := why(record, now)
		if jobstream.Damaged(err) {
			failure, err = damage("its record", err, now), nil
		}
		if err == nil && record.Phase.Ended() && record.Replay < j.Replay {
			record, err = record.Replanned(j.Replay, record.Trace)
		}
		if err == nil {
			record, err = record.GivenUp(min(max(j.Replay, record.Replay), w.replay.Number), failure)
		}
		if err == nil {
			_, err = w.bury(ctx, record, revision)
		}
		switch {
		case errors.Is(err, jobstream.ErrConflict):
			continue
		case errors.Is(err, job.ErrSettled), errors.Is(err, jobstream.ErrNotFound): // the reconciler puts the manifest back first
			return nil
		}
		return err
	}
}

// overdueFailure says in which phase the job was when the round became overdue, and how it
// had failed before.
func overdueFailure(record job.Record, at, now time.Time) job.Failure {
	text := "it was " + string(record.Phase) + " when the round was overdue, at " + at.UTC().Format(time.RFC3339)
	if record.Failure != nil {
		text += "; before that: " + record.Failure.Error
	}
	return job.Failure{Class: job.Overdue, At: now, Error: text}
}

// damage says what a job has lost, and could not get back because its round had to end.
func damage(what string, err error, now time.Time) job.Failure {
	return job.Failure{Class: job.Damaged, At: now, Error: what + " was gone or unreadable when the round had to end: " + err.Error()}
}
