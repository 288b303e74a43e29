package ratelimit_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"mirrorfleet/shared/telemetry"
)

// TestPermitIsASpan with egress and wait. A cancelled wait is no error. The tracer
// provider belongs to the process, so this test is not parallel.
func TestPermitIsASpan(t *testing.T) { //nolint:paralleltest // sets the global tracer provider
	recorder := tracetest.NewSpanRecorder()
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(recorder)))
	defer otel.SetTracerProvider(before)
	cfg := quick()
	cfg.Egress = "traced"
	l := embedded(t).limiter(t, cfg)
	permit(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Permit(ctx); err == nil {
		t.Error("Permit of a cancelled context returned no error")
	}
	spans := recorder.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want 2", len(spans))
	}
	for _, span := range spans {
		attributes := map[string]string{}
		for _, a := range span.Attributes() {
			attributes[string(a.Key)] = a.Value.String()
		}
		_, waited := attributes[string(telemetry.PermitWait)]
		if span.Name() != telemetry.SpanPermit || attributes[string(telemetry.Egress)] != "traced" || !waited {
			t.Errorf("span %q with %v, want %q with the egress and the wait", span.Name(), attributes, telemetry.SpanPermit)
		}
		if span.Status().Code == codes.Error {
			t.Errorf("the span has the error %q, want none", span.Status().Description)
		}
	}
}
