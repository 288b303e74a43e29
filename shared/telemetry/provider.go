package telemetry

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	apitrace "go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// providerOfAll records every span, so that a trace can be kept at its end.
// What the head decides goes with the job to other processes, and is what
// exemplars look at. A sampled span is the SDK's, and is surely exported;
// another one is light, and waits in the tail.
type providerOfAll struct {
	embedded.TracerProvider

	sdk      *trace.TracerProvider
	head     trace.Sampler
	tail     *tail
	resource *resource.Resource
}

// Tracer is a tracer of the given scope.
func (p *providerOfAll) Tracer(name string, options ...apitrace.TracerOption) apitrace.Tracer {
	return &tracerOfAll{provider: p, sdk: p.sdk.Tracer(name, options...), scope: instrumentation.Scope{Name: name}}
}

type tracerOfAll struct {
	embedded.Tracer

	provider *providerOfAll
	sdk      apitrace.Tracer
	scope    instrumentation.Scope
}

// Start opens a span. The round's is always sampled, with what is below it here:
// there is one in two hours.
func (t *tracerOfAll) Start(ctx context.Context, name string, options ...apitrace.SpanStartOption) (context.Context, apitrace.Span) {
	config := apitrace.NewSpanStartConfig(options...)
	var parent apitrace.SpanContext
	if config.NewRoot() {
		ctx = apitrace.ContextWithSpanContext(ctx, parent)
	} else {
		parent = apitrace.SpanContextFromContext(ctx)
	}
	in := parent.TraceID()
	var id apitrace.SpanID
	if root := !in.IsValid(); root {
		in, id = ids{}.NewIDs(ctx)
	}
	head := t.provider.head.ShouldSample(trace.SamplingParameters{ParentContext: ctx, TraceID: in, Name: name, Kind: config.SpanKind()})
	below := parent.IsSampled() && !parent.IsRemote() // in the round's trace, whatever a sampler says that looks at the id alone
	if head.Decision == trace.RecordAndSample || name == SpanRound || below {
		_, span := t.sdk.Start(inTrace(ctx, in), name, options...) //nolint:spancheck // the caller ends it
		return apitrace.ContextWithSpan(ctx, span), span           //nolint:spancheck // as above
	}
	if !id.IsValid() {
		id = ids{}.NewSpanID(ctx, in)
	}
	l := &light{
		tracer: t, parent: parent, name: name, kind: apitrace.ValidateSpanKind(config.SpanKind()), from: config.Timestamp(), known: with(ctx),
		context: apitrace.NewSpanContext(apitrace.SpanContextConfig{
			TraceID: in, SpanID: id, TraceState: head.Tracestate, TraceFlags: parent.TraceFlags().WithSampled(false),
		}),
		attributes: slices.Grow(config.Attributes(), 4),
	}
	if l.from.IsZero() {
		l.from = time.Now()
	}
	for _, link := range config.Links() {
		l.AddLink(link)
	}
	t.provider.tail.started(in)
	return apitrace.ContextWithSpan(ctx, l), l
}
