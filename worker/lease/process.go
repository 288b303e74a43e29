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

// delivered is one delivery on its way through the states of the package.
type delivered struct {
	*Runner

	d        *jobstream.Delivery
	j        job.Job
	term     *term
	hold     *hold
	requests atomic.Int64
	// unasked is how many requests the attempt still needs.
	unasked atomic.Int64
	// left is what a failed attempt could do nevertheless; it is stored if the
	// failure ends the job.
	left job.Evaluation
	log  *slog.Logger
}

// process takes a delivery to its end. running ends with ErrDrained when the
// job is to be handed back.
//
//nolint:contextcheck // the term's context carries running's values and not its end, on purpose
func (r *Runner) process(running context.Context, d *jobstream.Delivery) {
	j, err := d.Job()
	tracing, span := startProcess(d.Context(running), d, j, err == nil)
	defer span.End()
	p := &delivered{Runner: r, d: d, j: j, log: r.cfg.Log.With("subject", d.Subject())}
	p.unasked.Store(-1)
	p.term = beginTerm(tracing, d, timingOf(r.cfg.Bus.AckWait()), p.log)
	defer p.term.stop()

	ctx := p.term.ctx // from here on: it outlives the drain, to commit and settle
	if err != nil {
		p.unreadable(ctx, err)
		return
	}
	if p.hold, err = r.claim(ctx, d, p.j); err != nil {
		p.notClaimed(ctx, err)
		return
	}
	p.hold.sign = p.sign
	p.term.claimed(p.hold)
	claimed(span, r.cfg.Worker, p.hold.now())
	p.attempt(ctx, running)
}

// notClaimed ends a delivery that did not get its record.
func (p *delivered) notClaimed(ctx context.Context, err error) {
	switch {
	case errors.Is(err, job.ErrSettled):
		p.log.InfoContext(ctx, "job had ended: message removed")
		p.ended(ctx, telemetry.OutcomeSettled, "")
		p.settle(ctx, "ack", p.d.Ack)
	case errors.Is(err, errUnknownRound):
		p.unreadable(ctx, fmt.Errorf("%w: %w", job.ErrUnreadable, err))
	default: // fenced, the lease run out, a damaged record: the message comes again
		p.silent(ctx, "not claimed", err)
	}
}

// attempt runs the handler, which ends with the drain, and acts on how it ends.
func (p *delivered) attempt(ctx, running context.Context) {
	handling, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(running, func() { cancel(context.Cause(running)) })()

	evaluation, err := p.handle(handling)
	drained := errors.Is(context.Cause(handling), ErrDrained)
	switch {
	case p.term.lost():
		p.silent(ctx, "attempt dropped", context.Cause(ctx))
	case err == nil:
		p.commit(ctx, evaluation)
	case drained:
		p.handBack(ctx, "")
	case errors.Is(err, ErrUnfit):
		p.quit(err)
		p.handBack(ctx, clip(p.cfg.Worker+": "+strings.TrimPrefix(err.Error(), ErrUnfit.Error()+": ")))
	default:
		p.left = evaluation
		p.fail(ctx, err)
	}
}

// handle calls the handler; its panic is an error like any other.
func (p *delivered) handle(ctx context.Context) (e job.Evaluation, err error) {
	defer func() {
		if v := recover(); v != nil {
			p.log.ErrorContext(ctx, "handler panicked", "panic", v, "stack", string(debug.Stack()))
			err = job.WithClass(job.Transient, fmt.Errorf("panic: %v", v))
		}
	}()
	record := p.hold.now() // as claimed, but for signs of life
	return p.cfg.Handler(ctx, p.j, job.Attempt{
		Final: record.FinalAttempt(), Delivery: p.d.Number(), Failures: record.Failures,
		Expect: p.expect, Left: &p.unasked, Requests: &p.requests,
	})
}

// sign is what a sign of life tells now.
func (p *delivered) sign() job.Sign {
	return job.Sign{Left: int(p.unasked.Load()), Stall: p.cfg.Stalled()}
}

// spent is what the attempt has cost.
func (p *delivered) spent() job.Spent {
	return job.Spent{Requests: int(p.requests.Load()), Left: int(p.unasked.Load())}
}

// expect notes the number of requests; being fenced here ends the attempt
// before it makes them.
func (p *delivered) expect(ctx context.Context, requests int) {
	err := p.hold.change(ctx, func(r job.Record) (job.Record, error) {
		return r.Expecting(p.hold.id, requests, p.sign())
	})
	switch {
	case err == nil:
		crash.At(crash.Expected)
	case errors.Is(err, job.ErrFenced), errors.Is(err, job.ErrSettled):
		p.term.lose()
	case ctx.Err() == nil:
		p.log.DebugContext(ctx, "expected requests not noted", "error", err)
	}
}

// silent ends a delivery without a word to the server: the job is somebody
// else's, or comes again when the lease runs out.
func (p *delivered) silent(ctx context.Context, what string, err error) {
	p.log.WarnContext(ctx, what+": this worker says no more about the job", "error", err)
	p.ended(ctx, telemetry.OutcomeLost, "")
}

// failure is err as the record keeps it.
func failure(err error) job.Failure {
	return job.Failure{Class: job.ClassOf(err), Error: clip(err.Error()), At: time.Now().UTC()}
}
