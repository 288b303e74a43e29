package round

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// replace overwrites a record that cannot be read. If this process has seen how the job
// ended, and the evaluation still exists, it writes that end. Otherwise it writes a
// planned record, and the job runs again; or a failed one if the round is overdue, since
// nothing new may be waited for then. The revision of the unreadable value makes sure that
// nothing newer is overwritten.
func (w *work) replace(ctx context.Context, what repair) (bool, error) {
	if what.record.Phase.Ended() {
		why, err := w.unfounded(ctx, what.record)
		if err != nil {
			return false, err
		}
		if why == nil {
			return w.rewrite(ctx, what.record, what.damage.Revision)
		}
	}
	if now := time.Now(); w.late(now) {
		record := job.Plan(what.job.Round, what.job.UID, "").DeclaredDamaged(damage("its record", errors.New(what.damage.Error), now.UTC()))
		record.Replay = what.job.Replay
		_, err := w.bury(ctx, record, what.damage.Revision)
		return ended(err)
	}
	tracing, root := w.roots.begin(ctx, what.job)
	record := job.Plan(what.job.Round, what.job.UID, telemetry.TraceID(tracing))
	record.Replay = what.job.Replay
	did, err := w.rewrite(ctx, record, what.damage.Revision)
	if !did {
		return false, err
	}
	w.forget(record.UID)
	w.roots.follow(ctx, what.job, root)
	_, err = w.cfg.Bus.Queue.Requeue(tracing, what.job)
	return true, err
}

// putBack writes a job's end, which this process has seen, where the streams have lost the
// record or have an earlier state of it. An end without its evaluation is worthless: it is
// forgotten, and the next comparison lets the job run again.
func (w *work) putBack(ctx context.Context, what repair) (bool, error) {
	why, err := w.unfounded(ctx, what.record)
	if why != nil {
		w.forget(what.record.UID)
	}
	if why != nil || err != nil {
		return false, err
	}
	now, revision, err := w.cfg.Bus.Records.Load(ctx, what.record.Round, what.record.UID)
	switch {
	case errors.Is(err, jobstream.ErrNotFound):
		created, err := w.cfg.Bus.Records.Plan(ctx, what.record)
		if created {
			crash.At(crash.RecordRestored)
		}
		return created, err
	case err != nil && !jobstream.Damaged(err):
		return false, err
	case err == nil && now.Phase.Ended(): // the job has ended since the list was read
		return false, nil
	}
	return w.rewrite(ctx, what.record, revision)
}

// rewrite writes a record over a revision; false if another writer was faster.
func (w *work) rewrite(ctx context.Context, record job.Record, revision uint64) (bool, error) {
	_, err := w.cfg.Bus.Records.Update(ctx, record, revision)
	if err == nil {
		crash.At(crash.RecordRestored)
	}
	return ended(err)
}

// ended turns a conflict into false without an error: another writer was faster, and the
// next comparison looks again.
func ended(err error) (bool, error) {
	if errors.Is(err, jobstream.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// unfounded returns why the evaluation that an ended record names cannot be read; nil if
// it can be, or if the record names none.
func (w *work) unfounded(ctx context.Context, record job.Record) (why, err error) {
	key := record.Stands()
	if key == "" {
		return nil, nil
	}
	_, err = w.cfg.Bus.Evaluations.Load(ctx, key)
	if jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound) {
		return err, nil
	}
	return nil, err
}

// reopen lets a job run again whose evaluation is gone or cannot be read. If the round is
// overdue, the job becomes a dead letter of class damaged instead, and the same fallback
// applies as for miners that could not be loaded
// (docs/rules/scoring.md#fallback-and-shared-accounts). was is the record as it was
// listed: if it has changed since, there is nothing to do.
func (w *work) reopen(ctx context.Context, was job.Record) (repairKind, error) {
	record, revision, err := w.cfg.Bus.Records.Load(ctx, was.Round, was.UID)
	if err != nil || !record.Phase.Ended() || record.Stands() != was.Stands() {
		return "", err
	}
	why, err := w.unfounded(ctx, record)
	if err != nil || why == nil {
		return "", err
	}
	w.cfg.Log.WarnContext(about(ctx, record), "an evaluation is gone or cannot be read", "error", why)
	if now := time.Now(); w.late(now) {
		w.forget(was.UID)
		_, err := w.bury(ctx, record.DeclaredDamaged(damage("its evaluation", why, now.UTC())), revision)
		did, err := ended(err)
		return kindIf(did, lostForGood), err
	}
	opened, err := record.Reopened()
	if err != nil {
		return "", fmt.Errorf("job of miner %d: %w", was.UID, err)
	}
	w.forget(was.UID)
	_, err = w.cfg.Bus.Records.Update(ctx, opened, revision)
	did, err := ended(err)
	if !did {
		return "", err
	}
	crash.At(crash.RecordReopened)
	j := w.jobOf(was.UID)
	j.Replay = opened.Replay
	_, err = w.cfg.Bus.Queue.Requeue(w.roots.goingOn(ctx, j, opened), j)
	return lostEvaluation, err
}

// kindIf returns a kind if something was done, and "" if not.
func kindIf(did bool, kind repairKind) repairKind {
	if did {
		return kind
	}
	return ""
}

// jobOf returns the job of a miner; the zero Job if it has none.
func (w *work) jobOf(uid int) job.Job {
	for _, j := range w.jobs {
		if j.UID == uid {
			return j
		}
	}
	return job.Job{}
}
