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

// replace writes a record in the place of one that cannot be read: the job's end,
// if this process has seen it and its evaluation is there; else a planned one, whose
// job runs again; or, when the round has to end, a failed one.
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

// putBack writes the end of a job that this process has seen, where the streams
// have none or an earlier state of its record. Without its evaluation it is worth
// nothing: then the end is forgotten, and the next comparison has the job run again.
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
	case err == nil && now.Phase.Ended(): // it ended while it was listed
		return false, nil
	}
	return w.rewrite(ctx, what.record, revision)
}

// rewrite writes a record at a revision; false if somebody was faster.
func (w *work) rewrite(ctx context.Context, record job.Record, revision uint64) (bool, error) {
	_, err := w.cfg.Bus.Records.Update(ctx, record, revision)
	if err == nil {
		crash.At(crash.RecordRestored)
	}
	return ended(err)
}

// ended makes a conflict no error: somebody was faster, and the next comparison
// looks again.
func ended(err error) (bool, error) {
	if errors.Is(err, jobstream.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// unfounded is why the evaluation that an ended record stands on cannot be had; nil
// if it can, or if there is none.
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

// reopen has a job run again whose evaluation is gone or cannot be read. When the
// round has to end, the job is dead as damaged instead: what stands in for those that
// could not be loaded stands in for it.
func (w *work) reopen(ctx context.Context, was job.Record) (repairKind, error) {
	record, revision, err := w.cfg.Bus.Records.Load(ctx, was.Round, was.UID)
	if err != nil || !record.Phase.Ended() || record.Stands() != was.Stands() {
		return "", err
	}
	why, err := w.unfounded(ctx, record)
	if err != nil || why == nil {
		return "", err
	}
	w.cfg.Log.WarnContext(ctx, "an evaluation is gone or cannot be read", "round", was.Round, "uid", was.UID, "error", why)
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

func kindIf(did bool, kind repairKind) repairKind {
	if did {
		return kind
	}
	return ""
}

// jobOf is the job of a miner that has one.
func (w *work) jobOf(uid int) job.Job {
	for _, j := range w.jobs {
		if j.UID == uid {
			return j
		}
	}
	return job.Job{}
}
