package jobstream

import (
	"context"
	"net/http"
	"strconv"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// inject writes the trace context of ctx into the message's header, so that
// every attempt of the job lands in the publisher's trace.
func inject(ctx context.Context, header nats.Header) {
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(http.Header(header)))
}

func extract(ctx context.Context, header nats.Header) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(http.Header(header)))
}

// startPublish opens the span of one job handed to the stream.
func startPublish(ctx context.Context, j job.Job) (context.Context, trace.Span) {
	return otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanPublish,
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			telemetry.RoundID.String(j.Round),
			telemetry.MinerUID.String(strconv.Itoa(j.UID)),
			telemetry.GitHubID.String(j.GitHubID)))
}

func endSpan(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
