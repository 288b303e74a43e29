package ratelimit

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/telemetry"
)

// traced runs one Permit in a span that tells the egress and the wait. It never
// carries an error: a wait that its context ended is no fault, and an unreachable
// Redis is an event of it.
func traced(ctx context.Context, egress string, permit func(context.Context) (time.Time, error)) (time.Time, error) {
	began := time.Now()
	ctx, span := telemetry.Tracer().Start(ctx, telemetry.SpanPermit,
		trace.WithAttributes(telemetry.Egress.String(egress)))
	defer span.End()
	useBy, err := permit(ctx)
	span.SetAttributes(telemetry.PermitWait.Int64(time.Since(began).Milliseconds()))
	return useBy, err
}
