package jobstream

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// startPublish opens the span of one job handed to the stream.
func startPublish(ctx context.Context, j job.Job, size int) (context.Context, trace.Span) {
	//nolint:spancheck // telemetry.End ends it
	return telemetry.Tracer().Start(ctx, telemetry.SpanPublish,
		trace.WithSpanKind(trace.SpanKindProducer),
		telemetry.Published(job.Subject(j.Round, j.UID), j.MessageID(), size),
		trace.WithAttributes(
			telemetry.RoundID.String(j.Round),
			telemetry.MinerUID.Int(j.UID),
			telemetry.GitHubID.String(j.GitHubID)))
}
