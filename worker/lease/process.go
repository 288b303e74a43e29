package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// attempt is one delivery on its way through the states of the package.
type attempt struct {
	*Runner

	d        *jobstream.Delivery
	j        job.Job
	lease    *lease
	claim    *claim
	requests atomic.Int64
	// unasked is how many requests the attempt still has to make.
	unasked atomic.Int64
	// left is the partial evaluation of a failed attempt. It is stored if the failure ends
	// the job.
	left job.Evaluation
	log  *slog.Logger
}

// process runs a delivery to its end. running ends with ErrDrained when the job has to be
// handed back.
//
//nolint:contextcheck // the lease's context carries running's values and not its end, on purpose
func (r *Runner) process(running context.Context, d *jobstream.Delivery) {
	j, err := d.Job()
	tracing, span := startProcess(d.Context(running), d, j, err == nil)
	defer span.End()
	a := &attempt{
		Runner: r,
		d:      d,
		j:      j,
		log:    r.cfg.Log.With("subject", d.Subject()),
	}
	a.unasked.Store(-1)
	a.lease = beginLease(tracing, d, timingOf(r.cfg.Bus.AckWait()), a.log)
	defer a.lease.stop()

	ctx := a.lease.ctx // it outlives the drain, so that the attempt can commit and settle
	if err != nil {
		a.unreadable(ctx, err)
		return
	}
	if a.claim, err = r.claimRecord(ctx, d, a.j); err != nil {
		a.notClaimed(ctx, err)
		return
	}
	a.claim.sign = a.sign
	a.lease.showOn(a.claim)
	claimed(span, r.cfg.Worker, a.claim.current())
	a.run(ctx, running)
}

// notClaimed ends a delivery whose record could not be claimed.
func (a *attempt) notClaimed(ctx context.Context, err error) {
	switch {
	case errors.Is(err, job.ErrSettled):
		a.log.InfoContext(ctx, "job had ended: message removed")
		a.ended(ctx, telemetry.OutcomeSettled, "")
		a.settle(ctx, "ack", a.d.Ack)
	case errors.Is(err, errUnknownRound):
		a.unreadable(ctx, fmt.Errorf("%w: %w", job.ErrUnreadable, err))
	default: // fenced, lease expired, or a damaged record: the message is delivered again
		a.abandon(ctx, "not claimed", err)
	}
}

// run runs the handler, which a drain interrupts, and acts on its result.
func (a *attempt) run(ctx, running context.Context) {
	handling, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(running, func() { cancel(context.Cause(running)) })()

	evaluation, err := a.handle(handling)
	drained := errors.Is(context.Cause(handling), ErrDrained)
	switch {
	case a.lease.lost():
		a.abandon(ctx, "attempt dropped", context.Cause(ctx))
	case err == nil:
		a.commit(ctx, evaluation)
	case drained:
		a.handBack(ctx, "")
	case errors.Is(err, ErrUnfit):
		a.quit(err)
		a.handBack(ctx, clip(a.cfg.Worker+": "+strings.TrimPrefix(err.Error(), ErrUnfit.Error()+": ")))
	default:
		a.left = evaluation
		a.fail(ctx, err)
	}
}

// handle calls the handler. A panic counts as an error.
func (a *attempt) handle(ctx context.Context) (e job.Evaluation, err error) {
	defer func() {
		if v := recover(); v != nil {
			a.log.ErrorContext(ctx, "handler panicked", "panic", v, "stack", string(debug.Stack()))
			err = job.WithClass(job.Transient, fmt.Errorf("panic: %v", v))
		}
	}()
	record := a.claim.current() // as claimed, except for signs of life
	return a.cfg.Handler(ctx, a.j, job.Attempt{
		Final:    record.FinalAttempt(),
		Delivery: a.d.Number(),
		Failures: record.Failures,
		Expect:   a.expect,
		Left:     &a.unasked,
		Requests: &a.requests,
	})
}

// sign is the content of a sign of life at this moment.
func (a *attempt) sign() job.Sign {
	return job.Sign{Left: int(a.unasked.Load()), Stall: a.cfg.Stalled()}
}

// spent is the attempt's report of its requests while the job has not ended.
func (a *attempt) spent() job.Spent {
	return job.Spent{Requests: int(a.requests.Load()), Left: int(a.unasked.Load()), At: time.Now().UTC()}
}

// expect records the number of requests that the attempt will make. If the record is fenced,
// the attempt ends before it makes them.
func (a *attempt) expect(ctx context.Context, requests int) {
	err := a.claim.change(ctx, func(r job.Record) (job.Record, error) {
		return r.Expecting(a.claim.id, requests, a.sign())
	})
	switch {
	case err == nil:
		crash.At(crash.Expected)
	case errors.Is(err, job.ErrFenced), errors.Is(err, job.ErrSettled):
		a.lease.lose()
	case ctx.Err() == nil:
		a.log.DebugContext(ctx, "expected requests not noted", "error", err)
	}
}

// abandon ends a delivery without an acknowledgement: the job belongs to another worker,
// or the server delivers it again when the lease runs out.
func (a *attempt) abandon(ctx context.Context, what string, err error) {
	a.log.WarnContext(ctx, what+": this worker says no more about the job", "error", err)
	a.ended(ctx, telemetry.OutcomeLost, "")
}

// failure is err in the record's form.
func failure(err error) job.Failure {
	return job.Failure{Class: job.ClassOf(err), Error: clip(err.Error()), At: time.Now().UTC()}
}
