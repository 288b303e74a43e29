package round

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// exhausted ends a job whose deliveries are used up, because every worker that took it
// died. The dead letter comes before the record, so that a crash in between repeats both
// and loses neither. It is called for jobs of every round: the server's advisories go to
// whichever producer asks first.
func (r *Runner) exhausted(ctx context.Context, e jobstream.Exhausted) error {
	for {
		record, revision, err := r.recordOf(ctx, e)
		if errors.Is(err, jobstream.ErrNotFound) {
			r.cfg.Log.WarnContext(e.About(ctx), "a job of an unknown round has used up its deliveries")
			return nil
		}
		if err != nil && !jobstream.Damaged(err) {
			return fmt.Errorf("reading the record of miner %d: %w", e.UID, err)
		}
		if e.Replay < 0 { // the message is unreadable: only the last replay can have one
			e.Replay = record.Replay
		}
		buried, err := exhaust(record, e, time.Now().UTC())
		if err == nil {
			buried, err = r.bury(ctx, buried, revision)
		}
		switch {
		case errors.Is(err, job.ErrSettled), errors.Is(err, job.ErrFenced):
			return nil
		case errors.Is(err, jobstream.ErrConflict):
			continue
		case err != nil:
			return fmt.Errorf("burying the job of miner %d: %w", e.UID, err)
		}
		r.cfg.Log.ErrorContext(about(ctx, buried), "a job is dead", "class", buried.Failure.Class, "error", buried.Failure.Error)
		return nil
	}
}

// recordOf reads the record of a message. If a round that exists has lost it, it plans a
// new one: without a record the round would wait for the job forever. For a damaged record
// it returns a planned one and the *jobstream.ValueError; the caller may write it over the
// revision.
func (r *Runner) recordOf(ctx context.Context, e jobstream.Exhausted) (job.Record, uint64, error) {
	planned := job.Plan(e.Round, e.UID, e.Trace)
	planned.Replay = max(e.Replay, 0)
	record, revision, err := r.cfg.Bus.Records.Load(ctx, e.Round, e.UID)
	switch {
	case jobstream.Damaged(err):
		return planned, revision, err
	case !errors.Is(err, jobstream.ErrNotFound):
		return record, revision, err
	}
	if _, err := r.cfg.Bus.Rounds.Manifest(ctx, e.Round); err != nil {
		return job.Record{}, 0, err
	}
	if _, err := r.cfg.Bus.Records.Plan(ctx, planned); err != nil {
		return job.Record{}, 0, err
	}
	crash.At(crash.BurialPlanned)
	return r.cfg.Bus.Records.Load(ctx, e.Round, e.UID)
}

// exhaust returns the record of a job whose deliveries are used up, as dead.
func exhaust(record job.Record, e jobstream.Exhausted, now time.Time) (job.Record, error) {
	return record.Exhausted(e.Replay, e.Sequence, job.Failure{
		Class: job.Poison, At: now,
		Error: fmt.Sprintf("%s used up and none was settled: the processes that took it died",
			plural.Forms(e.Deliveries, "delivery is", "deliveries are")),
	})
}

// bury publishes the dead letter of a job that no worker can end, and then
// writes its ended record over the revision.
func (r *Runner) bury(ctx context.Context, ended job.Record, revision uint64) (job.Record, error) {
	if err := r.cfg.Bus.Letters.Publish(ctx, outcome.DeadLetter(ended)); err != nil {
		return ended, err
	}
	crash.At(crash.BurialPublished)
	if _, err := r.cfg.Bus.Records.Update(ctx, ended, revision); err != nil {
		return ended, err
	}
	crash.At(crash.BurialRecorded)
	return ended, nil
}
