package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// ids makes the ids of traces and spans, at random but for one: the root span
// of a trace has the trace's own first half as its id. So a process that
// knows a job's trace (from its record) can link to its root, and a producer that
// resumes another's round continues its trace.
type ids struct{}

type traceKey struct{}

// inTrace makes the next root span under ctx that of the given trace.
func inTrace(ctx context.Context, id trace.TraceID) context.Context {
	return context.WithValue(ctx, traceKey{}, id)
}

// NewIDs are those of a trace and its root span.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	id, _ := ctx.Value(traceKey{}).(trace.TraceID)
	for !rootOf(id).IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id, rootOf(id)
}

// NewSpanID is that of any other span.
func (ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	var id trace.SpanID
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

func rootOf(id trace.TraceID) trace.SpanID { return trace.SpanID(id[:8]) }

// rootContext is the root span of a trace that is known by its id alone; it is
// not valid for anything that is no id. It counts as
// sampled, because the decision about sampling is not stored.
func rootContext(id string) trace.SpanContext {
	parsed, err := trace.TraceIDFromHex(id)
	if err != nil {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    parsed,
		SpanID:     rootOf(parsed),
		TraceFlags: trace.FlagsSampled,
		Remote:     true,
	})
}
