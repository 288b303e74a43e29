package telemetry

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	apitrace "go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// light is a span of a trace that was not sampled: it is recorded only because
// the trace may be kept, which few are, so it costs as little as can be. The
// SDK's span is made to be exported, and takes several times as much.
type light struct {
	embedded.Span

	tracer   *tracerOfAll
	context  apitrace.SpanContext
	parent   apitrace.SpanContext
	name     string
	kind     apitrace.SpanKind
	from, to time.Time
	// known is what With says of it.
	known []attribute.KeyValue

	mu         sync.Mutex
	ended      bool
	attributes []attribute.KeyValue
	events     []trace.Event
	links      []trace.Link
	status     trace.Status
}

var _ apitrace.Span = (*light)(nil)

// change changes what has not ended.
func (l *light) change(how func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		how()
	}
}

// End ends the span, and with the last one of a trace decides about it.
func (l *light) End(options ...apitrace.SpanEndOption) {
	config, first := apitrace.NewSpanEndConfig(options...), false
	l.change(func() {
		first, l.ended = true, true
		if l.to = config.Timestamp(); l.to.IsZero() {
			l.to = l.from.Add(time.Since(l.from)) // by the monotonic clock
		}
	})
	if first {
		l.tracer.provider.tail.endedLight(l)
	}
}

// SetAttributes adds attributes; of two with one key the later one counts.
func (l *light) SetAttributes(list ...attribute.KeyValue) {
	l.change(func() { l.attributes = append(l.attributes, list...) })
}

// AddEvent adds what happened at an instant.
func (l *light) AddEvent(name string, options ...apitrace.EventOption) {
	config := apitrace.NewEventConfig(options...)
	l.change(func() {
		l.events = append(l.events, trace.Event{Name: name, Attributes: config.Attributes(), Time: config.Timestamp()})
	})
}

// AddLink adds a link to another span. One that leads nowhere is none.
func (l *light) AddLink(link apitrace.Link) {
	if !link.SpanContext.IsValid() {
		return
	}
	l.change(func() {
		l.links = append(l.links, trace.Link{SpanContext: link.SpanContext, Attributes: link.Attributes})
	})
}

// RecordError adds an error as the event that the conventions have for it.
func (l *light) RecordError(err error, options ...apitrace.EventOption) {
	if err == nil {
		return
	}
	l.AddEvent(semconv.ExceptionEventName, append(options, apitrace.WithAttributes(
		semconv.ExceptionType(fmt.Sprintf("%T", err)), semconv.ExceptionMessage(err.Error())))...)
}

// SetStatus sets the status; one that is better than what there is changes
// nothing, as the API has it.
func (l *light) SetStatus(code codes.Code, description string) {
	l.change(func() {
		if l.status.Code > code {
			return
		}
		if l.status = (trace.Status{Code: code}); code == codes.Error {
			l.status.Description = description
		}
	})
}

// SetName changes the name.
func (l *light) SetName(name string) { l.change(func() { l.name = name }) }

// IsRecording is true until the span has ended.
func (l *light) IsRecording() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.ended
}

// SpanContext names the span.
func (l *light) SpanContext() apitrace.SpanContext { return l.context }

// TracerProvider is the process's.
func (l *light) TracerProvider() apitrace.TracerProvider { return l.tracer.provider }

// kept is an ended light span as exporters take it: one that was sampled.
type kept struct {
	trace.ReadOnlySpan // nil: all that anybody calls is below

	of *light
}

func (k kept) Name() string                 { return k.of.name }
func (k kept) Parent() apitrace.SpanContext { return k.of.parent }
func (k kept) SpanKind() apitrace.SpanKind  { return k.of.kind }
func (k kept) StartTime() time.Time         { return k.of.from }
func (k kept) EndTime() time.Time           { return k.of.to }
func (k kept) Links() []trace.Link          { return k.of.links }
func (k kept) Events() []trace.Event        { return k.of.events }
func (k kept) Status() trace.Status         { return k.of.status }
func (k kept) Resource() *resource.Resource { return k.of.tracer.provider.resource }
func (k kept) DroppedAttributes() int       { return 0 }
func (k kept) DroppedLinks() int            { return 0 }
func (k kept) DroppedEvents() int           { return 0 }
func (k kept) ChildSpanCount() int          { return 0 }

func (k kept) InstrumentationScope() instrumentation.Scope { return k.of.tracer.scope }

func (k kept) SpanContext() apitrace.SpanContext {
	return k.of.context.WithTraceFlags(k.of.context.TraceFlags().WithSampled(true))
}

// Attributes are the span's own and what identifies it, the last of each key.
func (k kept) Attributes() []attribute.KeyValue {
	all := slices.Concat(k.of.attributes, k.of.known)
	slices.Reverse(all)
	seen := make(map[attribute.Key]bool, len(all))
	all = slices.DeleteFunc(all, func(a attribute.KeyValue) bool {
		before := seen[a.Key]
		seen[a.Key] = true
		return before
	})
	slices.Reverse(all)
	return all
}
