package lease

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// commit stores the evaluation, then ends the record, then acknowledges the message.
func (a *attempt) commit(ctx context.Context, e job.Evaluation) {
	storing, committing := startStep(ctx, telemetry.SpanCommit)
	err := a.store(storing, &e)
	telemetry.End(committing, a.blameless(err))
	switch {
	case err == nil:
		a.ended(ctx, committed(e), "")
		a.settle(ctx, "ack", a.d.Ack)
	case a.gone(err):
		a.abandon(ctx, "not committed", err)
	default:
		a.fail(ctx, err)
	}
}

// committed is the outcome of a delivery that committed an evaluation.
func committed(e job.Evaluation) string {
	if len(e.Missing) > 0 {
		return telemetry.OutcomeDegraded
	}
	return telemetry.OutcomeDone
}

// store makes the two durable effects of a success in this order, so that a finished record
// always has its evaluation. An evaluation whose record never follows is an orphan that
// nothing reads.
func (a *attempt) store(ctx context.Context, e *job.Evaluation) error {
	key, err := a.put(ctx, e)
	if err != nil {
		return err
	}
	crash.At(crash.EvaluationStored)
	err = a.claim.change(ctx, func(r job.Record) (job.Record, error) {
		return r.Committed(a.claim.id, e.Requests, key, len(e.Missing) > 0, e.FinishedAt)
	})
	if err == nil {
		crash.At(crash.RecordDone)
	}
	return err
}

// put stores the evaluation under the claim's own key.
func (a *attempt) put(ctx context.Context, e *job.Evaluation) (key string, err error) {
	if e.Requests == 0 {
		e.Requests = int(a.requests.Load())
	}
	e.Round = a.j.Round
	e.UID = a.j.UID
	e.Worker = a.cfg.Worker
	e.Claim = a.claim.id
	e.FinishedAt = time.Now().UTC()
	key = job.EvaluationKey(a.j.Round, a.j.UID, a.claim.id)
	return key, a.cfg.Bus.Evaluations.Put(ctx, key, *e)
}

// handBack returns the job because this worker stops or refuses it. It counts no failure.
func (a *attempt) handBack(ctx context.Context, refused string) {
	err := a.claim.change(ctx, func(r job.Record) (job.Record, error) {
		return r.HandedBack(a.claim.id, a.spent(), refused)
	})
	if err != nil {
		a.abandon(ctx, "not handed back", err)
		return
	}
	crash.At(crash.HandedBack)
	a.log.InfoContext(ctx, "job handed back")
	a.ended(ctx, telemetry.OutcomeHandedBack, "")
	<-a.pulled // otherwise our own last pull might get it again
	a.settle(ctx, "nak", a.nak(a.cfg.HandBackDelay))
}

// fail counts a failure. It ends the job if the failure is permanent or the last one
// allowed.
func (a *attempt) fail(ctx context.Context, cause error) {
	f := failure(cause)
	markFailed(ctx, f)
	if f.Class != job.Transient || a.claim.current().FinalAttempt() {
		a.bury(ctx, f)
		return
	}
	failures := a.claim.current().Failures + 1
	f.Delay = a.cfg.delay(failures, rand.Float64())
	err := a.claim.change(ctx, func(r job.Record) (job.Record, error) {
		return r.FailedAttempt(a.claim.id, a.spent(), f)
	})
	if err != nil {
		a.abandon(ctx, "failure not counted", err)
		return
	}
	crash.At(crash.FailureCounted)
	a.log.WarnContext(ctx, "attempt failed", "failures", failures, "retry_in", f.Delay, "error", f.Error)
	a.ended(ctx, telemetry.OutcomeRetry, f.Class)
	a.settle(ctx, "nak", a.nak(f.Delay))
}

// bury ends the job as failed: first the dead letter, then the partial evaluation of the
// attempt, then the record, then the message.
func (a *attempt) bury(ctx context.Context, f job.Failure) {
	record := a.claim.current()
	if err := a.end(ctx, record, f); err != nil {
		a.abandon(ctx, "not buried", err)
		return
	}
	a.log.ErrorContext(ctx, "job failed for good", "class", f.Class, "attempts", record.Deliveries, "error", f.Error)
	a.ended(ctx, telemetry.OutcomeFailed, f.Class)
	a.settle(ctx, "term", a.terminate(f))
}

// end makes the durable effects of a failure in that order.
func (a *attempt) end(ctx context.Context, record job.Record, f job.Failure) (err error) {
	err = a.cfg.Bus.Letters.Publish(ctx, job.DeadLetter{
		Round:    record.Round,
		UID:      record.UID,
		Replay:   record.Replay,
		Class:    f.Class,
		Error:    f.Error,
		Attempts: record.Deliveries,
		Worker:   a.cfg.Worker,
		Trace:    record.Trace,
		At:       f.At,
	})
	if err != nil {
		return err
	}
	crash.At(crash.DeadPublished)
	key := ""
	if a.left.Version != 0 {
		if key, err = a.put(ctx, &a.left); err != nil {
			return err
		}
		crash.At(crash.LeftoverStored)
	}
	err = a.claim.change(ctx, func(r job.Record) (job.Record, error) {
		return r.Buried(a.claim.id, int(a.requests.Load()), key, f)
	})
	if err == nil {
		crash.At(crash.RecordFailed)
	}
	return err
}

// unreadable ends a message that is no job of a known round: first the dead letter, then the
// record that the subject names, if there is one, then the message.
func (a *attempt) unreadable(ctx context.Context, cause error) {
	f := failure(cause)
	markFailed(ctx, f)
	round, uid, err := job.ParseSubject(a.d.Subject())
	letter := job.DeadLetter{
		Round:    round,
		UID:      uid,
		Replay:   a.j.Replay,
		Class:    f.Class,
		Error:    f.Error,
		Attempts: int(a.d.Number()),
		Worker:   a.cfg.Worker,
		Trace:    telemetry.TraceID(ctx),
		At:       f.At,
		Payload:  a.d.Payload(),
	}
	if err != nil {
		letter.Round, letter.UID = job.RoundUnnamed, 0
	}
	if err := a.cfg.Bus.Letters.Publish(ctx, letter); err != nil {
		a.abandon(ctx, "not buried", err)
		return
	}
	crash.At(crash.UnreadablePublished)
	// An unknown round had no record. A record that exists by now belongs to the round's
	// producer, which has repaired the loss and queues the job again: leave it alone.
	if err == nil && !errors.Is(cause, errUnknownRound) {
		if err := a.buryNamed(ctx, round, uid, f); err != nil {
			a.abandon(ctx, "not buried", err)
			return
		}
	}
	a.log.ErrorContext(ctx, "message dead at once", "error", f.Error)
	a.ended(ctx, telemetry.OutcomeFailed, f.Class)
	a.settle(ctx, "term", a.terminate(f))
}

// buryNamed ends the record of a message that could not be read. It leaves the record alone
// if it is missing, has ended, or belongs to a later delivery.
func (a *attempt) buryNamed(ctx context.Context, round string, uid int, f job.Failure) error {
	record, _, err := a.cfg.Bus.Records.Load(ctx, round, uid)
	if errors.Is(err, jobstream.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	a.claim, err = a.claimRecord(ctx, a.d, job.Job{Round: round, UID: uid, Replay: record.Replay})
	if err == nil {
		err = a.claim.change(ctx, func(r job.Record) (job.Record, error) { return r.Buried(a.claim.id, 0, "", f) })
		if err == nil {
			crash.At(crash.UnreadableFailed)
		}
	}
	if errors.Is(err, job.ErrFenced) || errors.Is(err, job.ErrSettled) {
		return nil
	}
	return err
}

// nak returns the job's message, for redelivery after delay.
func (a *attempt) nak(delay time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		if a.lease.lost() { // a late nak would end another worker's lease
			return ErrLeaseLost
		}
		return a.d.Nak(ctx, delay)
	}
}

// terminate removes the message of a job that failed for good.
func (a *attempt) terminate(f job.Failure) func(context.Context) error {
	return func(ctx context.Context) error { return a.d.Term(ctx, string(f.Class)) }
}

// settle acknowledges the message in one of the three ways. The record has its final state
// by now. If the acknowledgement is lost, the message is delivered again, and the next
// worker removes it.
func (a *attempt) settle(ctx context.Context, how string, say func(context.Context) error) {
	a.lease.stopHeartbeats() // a heartbeat after the acknowledgement could undo it
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.lease.timing.length)
	defer cancel()
	ctx, settling := startStep(ctx, telemetry.SpanSettle, telemetry.Settled(how))
	err := say(ctx)
	telemetry.End(settling, a.blameless(err))
	switch {
	case errors.Is(err, ErrLeaseLost):
		a.abandon(ctx, "message not settled", err)
		return
	case err != nil:
		a.log.WarnContext(ctx, "message not settled, it comes again after the lease", "how", how, "error", err)
		return
	}
	crash.At(crash.Settled)
}

// gone says whether err means that the job no longer belongs to this worker.
func (a *attempt) gone(err error) bool {
	return a.lease.lost() || errors.Is(err, job.ErrFenced) || errors.Is(err, job.ErrSettled) || errors.Is(err, ErrLeaseLost)
}

// blameless drops errors that are not a fault of the step.
func (a *attempt) blameless(err error) error {
	if err != nil && a.gone(err) {
		return nil
	}
	return err
}

// clip shortens an error's text, because a record holds several. The bound is in bytes.
func clip(text string) string { return bounded.Text(text, 2000) }
