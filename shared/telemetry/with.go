package telemetry

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
)

type withKey struct{}

// With makes every span that is started under ctx carry the attributes, and
// every line that is logged with it, in short: round, uid, attempt. It is how
// one search finds all of a job.
func With(ctx context.Context, attributes ...attribute.KeyValue) context.Context {
	return context.WithValue(ctx, withKey{}, append(slices.Clip(with(ctx)), attributes...))
}

func with(ctx context.Context) []attribute.KeyValue {
	attributes, _ := ctx.Value(withKey{}).([]attribute.KeyValue)
	return attributes
}

// Identify is the span processor that lets spans carry what With says. Setup
// installs it.
func Identify() trace.SpanProcessor { return identify{} }

type identify struct{}

func (identify) OnStart(parent context.Context, s trace.ReadWriteSpan) {
	if attributes := with(parent); len(attributes) > 0 {
		s.SetAttributes(attributes...)
	}
}

func (identify) OnEnd(trace.ReadOnlySpan)         {}
func (identify) Shutdown(context.Context) error   { return nil }
func (identify) ForceFlush(context.Context) error { return nil }
