package round

import (
	"context"
	"maps"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// roots are the root spans of the jobs that this process follows. A job's root span lasts
// from its plan to its end, so that the top of the trace says how the job ended. Rounds and
// replays of one process share them.
type roots struct {
	mu   sync.Mutex
	open map[followed]trace.Span
}

// followed names a job that is followed.
type followed struct {
	round string
	uid   int
}

// begin opens the trace of a job.
func (r *roots) begin(ctx context.Context, j job.Job) (context.Context, trace.Span) {
	return telemetry.StartJob(ctx, traced(j), "", time.Time{})
}

// resume continues the trace of a job that another producer has published. since is when
// the job was planned; zero if that is unknown.
func (r *roots) resume(ctx context.Context, j job.Job, record job.Record, since time.Time) context.Context {
	tracing, root := telemetry.StartJob(ctx, traced(j), record.Trace, since)
	r.follow(ctx, j, root)
	return tracing
}

func traced(j job.Job) telemetry.Job {
	return telemetry.Job{
		Round:    j.Round,
		UID:      j.UID,
		GitHubID: j.GitHubID,
		Replay:   j.Replay,
	}
}

// follow keeps a job's root span until the job has ended. round is the context of the
// round's own span, which gets a link to the job's trace.
func (r *roots) follow(round context.Context, j job.Job, root trace.Span) {
	telemetry.LinkJob(round, traced(j), root)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[followed]trace.Span{}
	}
	r.open[followed{j.Round, j.UID}] = root
}

// goingOn returns ctx within the trace of an outstanding job. A job that this process does
// not follow yet is followed from now on, in the trace that its record names.
func (r *roots) goingOn(ctx context.Context, j job.Job, record job.Record) context.Context {
	r.mu.Lock()
	root, known := r.open[followed{j.Round, j.UID}]
	r.mu.Unlock()
	if known {
		return trace.ContextWithSpan(ctx, root)
	}
	return r.resume(ctx, j, record, time.Time{})
}

// see ends the root span of a job whose record has ended.
func (r *roots) see(record job.Record) {
	if !record.Phase.Ended() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := followed{record.Round, record.UID}
	root, known := r.open[key]
	if !known {
		return
	}
	delete(r.open, key)
	outcome, failure := telemetry.OutcomeDone, ""
	switch {
	case record.Phase == job.Failed:
		outcome = telemetry.OutcomeFailed
		if record.Failure != nil {
			failure = record.Failure.Error
		}
	case record.Degraded:
		outcome = telemetry.OutcomeDegraded
	}
	root.SetAttributes(telemetry.Failures.Int(record.Failures))
	telemetry.EndJob(root, outcome, failure)
}

// stop drops the root spans of a round's outstanding jobs. The producer that resumes the
// round continues their traces and ends the same roots. A span that never ends is never
// exported, so there is no duplicate.
func (r *roots) stop(round string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.open, func(key followed, _ trace.Span) bool { return key.round == round })
}

// see reports one change to traces, metrics and Config.Progress.
func (r *Runner) see(ctx context.Context, record job.Record, p Progress) {
	r.roots.see(record)
	telemetry.RoundProgressed(ctx, telemetry.RoundProgress{
		Queued:   p.Queued,
		Running:  p.Running,
		Done:     p.Done,
		Failed:   p.Failed,
		Degraded: p.Degraded,
	})
	r.cfg.Progress(p)
}

// leave sets the gauges to what stays true after a round. A process that serves exports
// them until its next round, so no state of mid-round may remain. A process that has not
// concluded the round does not know how it stands, and resets them.
func (r *Runner) leave(ctx context.Context, round string, err error) {
	if err != nil {
		telemetry.Audited(ctx, telemetry.Audit{})
		telemetry.RoundProgressed(ctx, telemetry.RoundProgress{})
		return
	}
	r.audit(ctx, round)
}

// measured records how a round ended, and how long it took in this process.
func measured(ctx context.Context, began time.Time, result outcome.Result, err error) {
	telemetry.RoundIs(ctx, telemetry.RoundIdle)
	outcome := telemetry.RoundComplete
	switch {
	case err != nil:
		outcome = telemetry.RoundStopped
	case !result.Complete && len(result.CancelOrders) > 0:
		outcome = telemetry.RoundCancelled
	case !result.Complete:
		outcome = telemetry.RoundIncomplete
	}
	trace.SpanFromContext(ctx).SetAttributes(telemetry.RoundOutcome.String(outcome))
	telemetry.RoundEnded(ctx, outcome, time.Since(began))
}

// about is ctx for a line about a job: it names the job, and its own trace. The zero Record
// names none.
func about(ctx context.Context, r job.Record) context.Context {
	if r.Round == "" {
		return ctx
	}
	delivery := uint64(0)
	if r.Claim != nil {
		delivery = r.Claim.Delivery
	}
	return telemetry.About(ctx, telemetry.Job{Round: r.Round, UID: r.UID, Replay: r.Replay}, delivery, r.Trace)
}
