package telemetry

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Carrier lets a propagator read and write the headers of a NATS message. NATS
// headers have a case, unlike HTTP's: names are written as the propagator has
// them ("traceparent", as the W3C and other clients do) and found in any case.
type Carrier nats.Header

var _ propagation.TextMapCarrier = Carrier(nil)

// Get is a header's first value, "" for none.
func (c Carrier) Get(name string) string {
	return nats.Header(c).Get(c.name(name))
}

// Set replaces a header. A nil Carrier takes none.
func (c Carrier) Set(name, value string) {
	if c != nil {
		nats.Header(c).Set(c.name(name), value)
	}
}

// Keys lists the names of the headers.
func (c Carrier) Keys() []string { return slices.Sorted(maps.Keys(c)) }

// name is the name under which a header stands, or the given one.
func (c Carrier) name(name string) string {
	if _, ok := c[name]; ok {
		return name
	}
	for _, there := range c.Keys() {
		if strings.EqualFold(there, name) {
			return there
		}
	}
	return name
}

// Inject writes the trace of ctx into the headers of a message, which must not
// be nil.
func Inject(ctx context.Context, header nats.Header) {
	otel.GetTextMapPropagator().Inject(ctx, Carrier(header))
}

// Extract returns ctx with the trace that the headers of a message carry.
func Extract(ctx context.Context, header nats.Header) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, Carrier(header))
}

// TraceID is the id of the trace that ctx is in, "" without one.
func TraceID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		return span.TraceID().String()
	}
	return ""
}
