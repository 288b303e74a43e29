package lease

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// commit stores the evaluation, then ends the record, then the message.
func (p *delivered) commit(ctx context.Context, e job.Evaluation) {
	storing, committing := startStep(ctx, telemetry.SpanCommit)
	err := p.store(storing, &e)
	telemetry.End(committing, p.blameless(err))
	switch {
	case err == nil:
		p.ended(ctx, committed(e), "")
		p.settle(ctx, "ack", p.d.Ack)
	case p.gone(err):
		p.silent(ctx, "not committed", err)
	default:
		p.fail(ctx, err)
	}
}

// committed is how a delivery ended that committed an evaluation.
func committed(e job.Evaluation) string {
	if len(e.Missing) > 0 {
		return telemetry.OutcomeDegraded
	}
	return telemetry.OutcomeDone
}

// store makes the two durable effects of a success, in their order: a record
// that is done has its evaluation. An evaluation without its record is an
// orphan that nothing reads.
func (p *delivered) store(ctx context.Context, e *job.Evaluation) error {
	key, err := p.put(ctx, e)
	if err != nil {
		return err
	}
	crash.At(crash.EvaluationStored)
	err = p.hold.change(ctx, func(r job.Record) (job.Record, error) {
		return r.Committed(p.hold.id, e.Requests, key, len(e.Missing) > 0)
	})
	if err == nil {
		crash.At(crash.RecordDone)
	}
	return err
}

// put stores the evaluation under the claim's own key.
func (p *delivered) put(ctx context.Context, e *job.Evaluation) (key string, err error) {
	if e.Requests == 0 {
		e.Requests = int(p.requests.Load())
	}
	e.Round, e.UID, e.Worker, e.Claim, e.FinishedAt = p.j.Round, p.j.UID, p.cfg.Worker, p.hold.id, time.Now().UTC()
	key = job.EvaluationKey(p.j.Round, p.j.UID, p.hold.id)
	return key, p.cfg.Bus.Evaluations.Put(ctx, key, *e)
}

// handBack returns the job because this worker stops, or refuses it; no failure is
// counted.
func (p *delivered) handBack(ctx context.Context, refused string) {
	err := p.hold.change(ctx, func(r job.Record) (job.Record, error) {
		return r.HandedBack(p.hold.id, p.spent(), refused)
	})
	if err != nil {
		p.silent(ctx, "not handed back", err)
		return
	}
	crash.At(crash.HandedBack)
	p.log.InfoContext(ctx, "job handed back")
	p.ended(ctx, telemetry.OutcomeHandedBack, "")
	<-p.pulled // or our own last pull might get it again
	p.settle(ctx, "nak", p.nak(p.cfg.HandBackDelay))
}

// fail counts a failure, or ends the job if it is the last or permanent.
func (p *delivered) fail(ctx context.Context, cause error) {
	f := failure(cause)
	markFailed(ctx, f)
	if f.Class != job.Transient || p.hold.now().FinalAttempt() {
		p.bury(ctx, f)
		return
	}
	failures := p.hold.now().Failures + 1
	f.Delay = p.cfg.delay(failures, rand.Float64())
	err := p.hold.change(ctx, func(r job.Record) (job.Record, error) {
		return r.FailedAttempt(p.hold.id, p.spent(), f)
	})
	if err != nil {
		p.silent(ctx, "failure not counted", err)
		return
	}
	crash.At(crash.FailureCounted)
	p.log.WarnContext(ctx, "attempt failed", "failures", failures, "retry_in", f.Delay, "error", f.Error)
	p.ended(ctx, telemetry.OutcomeRetry, f.Class)
	p.settle(ctx, "nak", p.nak(f.Delay))
}

// bury ends the job as failed: dead letter, then what the attempt left, then
// record, then message.
func (p *delivered) bury(ctx context.Context, f job.Failure) {
	record := p.hold.now()
	if err := p.end(ctx, record, f); err != nil {
		p.silent(ctx, "not buried", err)
		return
	}
	p.log.ErrorContext(ctx, "job failed for good", "class", f.Class, "attempts", record.Deliveries, "error", f.Error)
	p.ended(ctx, telemetry.OutcomeFailed, f.Class)
	p.settle(ctx, "term", p.terminate(f))
}

// end makes the durable effects of a failure, in their order.
func (p *delivered) end(ctx context.Context, record job.Record, f job.Failure) (err error) {
	err = p.cfg.Bus.Letters.Publish(ctx, job.DeadLetter{
		Round: record.Round, UID: record.UID, Replay: record.Replay, Class: f.Class, Error: f.Error,
		Attempts: record.Deliveries, Worker: p.cfg.Worker, Trace: record.Trace, At: f.At,
	})
	if err != nil {
		return err
	}
	crash.At(crash.DeadPublished)
	key := ""
	if p.left.Version != 0 {
		if key, err = p.put(ctx, &p.left); err != nil {
			return err
		}
		crash.At(crash.LeftoverStored)
	}
	err = p.hold.change(ctx, func(r job.Record) (job.Record, error) {
		return r.Buried(p.hold.id, int(p.requests.Load()), key, f)
	})
	if err == nil {
		crash.At(crash.RecordFailed)
	}
	return err
}

// unreadable ends a message that is no job of a known round: dead letter,
// the record that its subject names, if there is one, then the message.
func (p *delivered) unreadable(ctx context.Context, cause error) {
	f := failure(cause)
	markFailed(ctx, f)
	round, uid, err := job.ParseSubject(p.d.Subject())
	letter := job.DeadLetter{
		Round: round, UID: uid, Replay: p.j.Replay, Class: f.Class, Error: f.Error, Attempts: int(p.d.Number()),
		Worker: p.cfg.Worker, Trace: telemetry.TraceID(ctx), At: f.At, Payload: p.d.Payload(),
	}
	if err != nil {
		letter.Round, letter.UID = job.RoundUnnamed, 0
	}
	if err := p.cfg.Bus.Letters.Publish(ctx, letter); err != nil {
		p.silent(ctx, "not buried", err)
		return
	}
	crash.At(crash.UnreadablePublished)
	// Of a round that nobody knows no record was there. One that is there by now is
	// its producer's, which has put back what was lost and queues the job anew.
	if err == nil && !errors.Is(cause, errUnknownRound) {
		if err := p.buryNamed(ctx, round, uid, f); err != nil {
			p.silent(ctx, "not buried", err)
			return
		}
	}
	p.log.ErrorContext(ctx, "message dead at once", "error", f.Error)
	p.ended(ctx, telemetry.OutcomeFailed, f.Class)
	p.settle(ctx, "term", p.terminate(f))
}

// buryNamed ends the record of a message that could not be read. One that is
// not there, has ended or is held by a later delivery is left as it is.
func (p *delivered) buryNamed(ctx context.Context, round string, uid int, f job.Failure) error {
	record, _, err := p.cfg.Bus.Records.Load(ctx, round, uid)
	if errors.Is(err, jobstream.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p.hold, err = p.claim(ctx, p.d, job.Job{Round: round, UID: uid, Replay: record.Replay})
	if err == nil {
		err = p.hold.change(ctx, func(r job.Record) (job.Record, error) { return r.Buried(p.hold.id, 0, "", f) })
		if err == nil {
			crash.At(crash.UnreadableFailed)
		}
	}
	if errors.Is(err, job.ErrFenced) || errors.Is(err, job.ErrSettled) {
		return nil
	}
	return err
}

// nak is the last word for a job that is to run again.
func (p *delivered) nak(delay time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		if p.term.lost() { // settled too late, it would end another's lease
			return ErrLeaseLost
		}
		return p.d.Nak(ctx, delay)
	}
}

// terminate is the last word for a job that is dead.
func (p *delivered) terminate(f job.Failure) func(context.Context) error {
	return func(ctx context.Context) error { return p.d.Term(ctx, string(f.Class)) }
}

// settle says the last word about the message. The record has its state by
// now, so if the word is lost the message comes again and is removed then.
func (p *delivered) settle(ctx context.Context, how string, say func(context.Context) error) {
	p.term.hush() // a heartbeat after the last word could undo it
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.term.timing.lease)
	defer cancel()
	ctx, settling := startStep(ctx, telemetry.SpanSettle, telemetry.Settled(how))
	err := say(ctx)
	telemetry.End(settling, p.blameless(err))
	switch {
	case errors.Is(err, ErrLeaseLost):
		p.silent(ctx, "message not settled", err)
		return
	case err != nil:
		p.log.WarnContext(ctx, "message not settled, it comes again after the lease", "how", how, "error", err)
		return
	}
	crash.At(crash.Settled)
}

// gone says whether err means that the job is no longer ours.
func (p *delivered) gone(err error) bool {
	return p.term.lost() || errors.Is(err, job.ErrFenced) || errors.Is(err, job.ErrSettled) || errors.Is(err, ErrLeaseLost)
}

// blameless drops the errors that are no fault of a step.
func (p *delivered) blameless(err error) error {
	if err != nil && p.gone(err) {
		return nil
	}
	return err
}

// clip keeps an error's text short enough for a record of many.
func clip(text string) string {
	const most = 2000
	if len(text) > most {
		text = text[:most] + " …"
	}
	return strings.ToValidUTF8(text, "?")
}
