package telemetry

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
)

type withKey struct{}

// With makes every span that is started under ctx carry the attributes, and
// every line that is logged with it, in short: round, uid, delivery. It is how
// one search finds all of a job.
func With(ctx context.Context, attributes ...attribute.KeyValue) context.Context {
	return context.WithValue(ctx, withKey{}, append(slices.Clip(with(ctx)), attributes...))
}

// About makes every line that is logged with ctx name the job that it is about: round, uid,
// replay, the last delivery (0 for none) and the job's own trace ("" for none). It is for
// processes that do not run the job, and whose spans are not in its trace.
func About(ctx context.Context, j Job, delivery uint64, traceID string) context.Context {
	known := j.attributes()
	if delivery > 0 {
		known = append(known, Delivery.Int64(int64(delivery)))
	}
	if traceID != "" {
		known = append(known, JobTrace.String(traceID))
	}
	return With(ctx, known...)
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
