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

// overdue is when a round has to be concluded with what there is; zero for
// never. A replay has all the time that it needs: somebody waits for it.
func overdue(m job.Manifest, replay job.Replay) time.Time {
	if replay.Number > 0 {
		return time.Time{}
	}
	return m.OverdueAt
}

var errOverdue = errors.New("the round is overdue: it does not wait any longer")

// lastLookUp is when the maintainers of a round that has to end must have been
// had, at the latest.
func lastLookUp(overdueAt, now time.Time, most time.Duration) time.Time {
	if overdueAt.After(now) {
		now = overdueAt
	}
	return now.Add(most)
}

// declareOverdue waits until the round is overdue and then ends every job that
// has not ended, as it would be ended by a worker: dead letter, then record. Who
// works on one at that instant may still be first; afterwards its claim counts
// for nothing. Messages that are left are removed by whoever is given them. It goes
// on until ctx ends: a record that was lost or damaged since is ended again.
func (r *Runner) declareOverdue(ctx context.Context, round string, jobs []job.Job, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil // all ended in time
	}
	r.cfg.Log.WarnContext(ctx, "the round is overdue: what has not ended is dead", "round", round, "since", at)
	ticker := time.NewTicker(r.cfg.Reconcile)
	defer ticker.Stop()
	for {
		if err := r.endAllOverdue(ctx, jobs, at); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Runner) endAllOverdue(ctx context.Context, jobs []job.Job, at time.Time) error {
	// What was begun is ended even if the last job ends meanwhile.
	group := errgroup.Group{}
	group.SetLimit(atOnce)
	for _, j := range jobs {
		group.Go(func() error {
			if err := r.endOverdue(ctx, j, at); err != nil && ctx.Err() == nil {
				return fmt.Errorf("ending the overdue job of miner %d: %w", j.UID, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (r *Runner) endOverdue(ctx context.Context, j job.Job, at time.Time) error {
	for {
		record, revision, err := r.recordOf(ctx, jobstream.Exhausted{Round: j.Round, UID: j.UID, Replay: j.Replay})
		failure := overdueFailure(record, at, time.Now().UTC())
		if jobstream.Damaged(err) {
			failure, err = damage("its record", err, time.Now().UTC()), nil
		}
		if err == nil {
			record, err = record.DeclaredOverdue(j.Replay, failure)
		}
		if err == nil {
			_, err = r.bury(ctx, record, revision)
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

// overdueFailure says why the job was not waited for, and what it had met.
func overdueFailure(record job.Record, at, now time.Time) job.Failure {
	text := "it was " + string(record.Phase) + " when the round was overdue, at " + at.UTC().Format(time.RFC3339)
	if record.Failure != nil {
		text += "; before that: " + record.Failure.Error
	}
	return job.Failure{Class: job.Overdue, At: now, Error: text}
}

// damage says what a job has lost for good when its round had to end.
func damage(what string, err error, now time.Time) job.Failure {
	return job.Failure{Class: job.Damaged, At: now, Error: what + " was gone or unreadable when the round had to end: " + err.Error()}
}
