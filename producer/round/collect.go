package round

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// collect follows the records until every job of the round has ended.
func (r *Runner) collect(ctx context.Context, round string, jobs int, into tally) error {
	if jobs == 0 {
		return nil
	}
	changes, err := r.cfg.Bus.WatchRecords(ctx, round)
	if err != nil {
		return fmt.Errorf("watching the records: %w", err)
	}
	for record := range changes {
		into[record.UID] = record
		r.see(ctx, record, into.progress())
		if into.ended(jobs) {
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("waiting for %d jobs: %w", into.progress().Outstanding(), err)
	}
	return errors.New("the watch of the records ended")
}

// exhausted ends a job whose deliveries are used up: every worker that took
// it died. The dead letter comes first; a crash in between repeats both.
func (r *Runner) exhausted(ctx context.Context, round string, uid int, deliveries uint64) error {
	for {
		record, revision, err := r.cfg.Bus.Record(ctx, round, uid)
		if errors.Is(err, jobstream.ErrNotFound) {
			r.cfg.Log.WarnContext(ctx, "deliveries of a job without a record are used up", "round", round, "uid", uid)
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the record of miner %d: %w", uid, err)
		}
		failure := job.Failure{
			Class: job.Poison, At: time.Now().UTC(),
			Error: fmt.Sprintf("%d deliveries are used up and none was settled: the processes that took it died", deliveries),
		}
		buried, err := record.Exhausted(failure)
		if errors.Is(err, job.ErrSettled) {
			return nil
		}
		if err := r.cfg.Bus.PublishDead(ctx, deadLetter(buried, failure)); err != nil {
			return fmt.Errorf("burying the job of miner %d: %w", uid, err)
		}
		_, err = r.cfg.Bus.UpdateRecord(ctx, buried, revision)
		if errors.Is(err, jobstream.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("burying the job of miner %d: %w", uid, err)
		}
		r.cfg.Log.ErrorContext(ctx, "a job is dead", "round", round, "uid", uid, "class", failure.Class, "error", failure.Error)
		return nil
	}
}

func deadLetter(r job.Record, f job.Failure) job.DeadLetter {
	letter := job.DeadLetter{
		Version: job.Version, Round: r.Round, UID: r.UID, Class: f.Class, Error: f.Error,
		Attempts: r.Deliveries, Trace: r.Trace, At: f.At,
	}
	if r.Claim != nil {
		letter.Worker = r.Claim.Worker
	}
	return letter
}
