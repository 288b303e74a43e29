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
// for nothing. Messages that are left are removed by whoever is given them.
func (r *Runner) declareOverdue(ctx context.Context, round string, jobs []job.Job, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil // all ended in time
	}
	r.cfg.Log.WarnContext(ctx, "the round is overdue: what has not ended is dead", "round", round, "since", at)
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
		if err != nil {
			return err
		}
		ended, err := record.DeclaredOverdue(j.Replay, overdueFailure(record, at, time.Now().UTC()))
		if err == nil {
			_, err = r.bury(ctx, ended, revision)
		}
		switch {
		case errors.Is(err, jobstream.ErrConflict):
			continue
		case errors.Is(err, job.ErrSettled):
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
