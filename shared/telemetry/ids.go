package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// ids makes the ids of traces and spans, at random but for one: the root span
// of a trace has the trace's own first half as its id. So whoever knows a
// job's trace (its record does) can link to its root, and a producer that goes
// on with the round of another can go on with the trace.
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
// not valid for anything that is no id. Whoever goes on with it takes it for
// sampled: nobody noted what was decided.
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
