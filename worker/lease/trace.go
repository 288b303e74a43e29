package lease

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// startProcess opens the span of one delivery, in the trace that the job was
// published in: so all attempts are in one.
func startProcess(ctx context.Context, d *jobstream.Delivery) (context.Context, trace.Span) {
	ctx, span := otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanProcess,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(telemetry.Delivery.Int64(int64(d.Number()))))
	if round, uid, err := job.ParseSubject(d.Subject()); err == nil {
		span.SetAttributes(telemetry.RoundID.String(round), telemetry.MinerUID.Int(uid))
	}
	return ctx, span
}

// startStep opens the span of a commit or a settlement.
func startStep(ctx context.Context, name string) (context.Context, trace.Span) {
	return otel.Tracer(telemetry.Scope).Start(ctx, name) //nolint:spancheck // endStep ends it
}

// endStep ends it; err is nil also for what is nobody's fault.
func endStep(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// markFailed shows on the attempt's span why it failed.
func markFailed(ctx context.Context, f job.Failure) {
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(telemetry.FailClass.String(string(f.Class)))
	span.SetStatus(codes.Error, f.Error)
}
