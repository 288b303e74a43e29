package lease

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// startProcess opens the span of one delivery. It belongs to the trace in which the job was
// published, so that one trace holds all attempts. Everything that is logged in the returned
// context names the job and the attempt.
func startProcess(ctx context.Context, d *jobstream.Delivery, j job.Job, readable bool) (context.Context, trace.Span) {
	ctx = identified(ctx, d, j, readable)
	telemetry.JobDelivered(ctx, d.Number() == 1, d.Received().Sub(d.Published()))
	//nolint:spancheck // process ends it
	return telemetry.Tracer().Start(ctx, telemetry.SpanProcess,
		trace.WithSpanKind(trace.SpanKindConsumer), telemetry.Delivered(d.Subject(), len(d.Payload())))
}

// identified is ctx for spans and lines about a delivery: they name its job.
func identified(ctx context.Context, d *jobstream.Delivery, j job.Job, readable bool) context.Context {
	known := []attribute.KeyValue{telemetry.Delivery.Int64(int64(d.Number()))}
	if round, uid, err := job.ParseSubject(d.Subject()); err == nil {
		known = append(known, telemetry.RoundID.String(round), telemetry.MinerUID.Int(uid))
	}
	if readable { // what cannot be is dealt with later
		known = append(known, telemetry.GitHubID.String(j.GitHubID))
		if j.Replay > 0 {
			known = append(known, telemetry.Replay.Int(j.Replay))
		}
	}
	return telemetry.With(ctx, known...)
}

// claimed adds the record's figures of the attempt to the span.
func claimed(span trace.Span, worker string, r job.Record) {
	span.SetAttributes(telemetry.Failures.Int(r.Failures), telemetry.Worker.String(worker))
}

// ended records in the span and the metrics how the delivery ended. class is that of a
// failure.
func (a *attempt) ended(ctx context.Context, outcome string, class job.Class) {
	trace.SpanFromContext(ctx).SetAttributes(telemetry.Outcome.String(outcome))
	telemetry.JobEnded(ctx, outcome, string(class), time.Since(a.d.Received()))
}

// startStep opens the span of a commit or a settlement.
func startStep(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return telemetry.Tracer().Start(ctx, name, options...) //nolint:spancheck // telemetry.End ends it
}

// markFailed records on the attempt's span why it failed.
func markFailed(ctx context.Context, f job.Failure) {
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(telemetry.FailClass.String(string(f.Class)))
	span.SetStatus(codes.Error, f.Error)
}
