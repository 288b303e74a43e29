package ratelimit

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/telemetry"
)

// span is the trace of one Permit. It never carries an error: a wait that its
// context ended is no fault, and an unreachable Redis is an event of it.
type span struct {
	trace.Span
	began time.Time
}

func startSpan(ctx context.Context, egress string) (context.Context, span) {
	ctx, started := otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanPermit,
		trace.WithAttributes(telemetry.Egress.String(egress)))

	return ctx, span{Span: started, began: time.Now()}
}

func (s span) end() {
	s.SetAttributes(telemetry.PermitWait.Int64(time.Since(s.began).Milliseconds()))
	s.End()
}
