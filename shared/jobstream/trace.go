package jobstream

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// startPublish opens the span of one job handed to the stream.
func startPublish(ctx context.Context, j job.Job) (context.Context, trace.Span) {
	//nolint:spancheck // endSpan ends it
	return otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanPublish,
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			telemetry.RoundID.String(j.Round),
			telemetry.MinerUID.Int(j.UID),
			telemetry.GitHubID.String(j.GitHubID)))
}

// endSpan ends a span, with its error if there is one.
func endSpan(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
