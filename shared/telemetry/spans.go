package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Tracer is the product's, of the process's tracer provider.
func Tracer() trace.Tracer { return otel.Tracer(Scope) }

// Job says whose job a trace shows.
type Job struct {
	Round    string
	UID      int
	GitHubID string
	Replay   int
}

func (j Job) attributes() []attribute.KeyValue {
	known := []attribute.KeyValue{RoundID.String(j.Round), MinerUID.Int(j.UID)}
	if j.GitHubID != "" {
		known = append(known, GitHubID.String(j.GitHubID))
	}
	if j.Replay > 0 {
		known = append(known, Replay.Int(j.Replay))
	}
	return known
}

// NewRound gives a round that begins its trace, for its manifest; "" when
// nothing is traced.
func NewRound(ctx context.Context) (context.Context, string) {
	_, never := Tracer().Start(ctx, SpanRound, trace.WithNewRoot()) // what does not end is not seen
	id := never.SpanContext().TraceID()
	if !id.IsValid() {
		return ctx, ""
	}
	return inTrace(ctx, id), id.String()
}

// StartRound opens a round's span: the root of the trace that NewRound gave, or
// below that root when another producer began the round.
func StartRound(ctx context.Context, round, id string) (context.Context, trace.Span) {
	ctx = With(ctx, RoundID.String(round))
	options := []trace.SpanStartOption{trace.WithNewRoot()}
	given, _ := ctx.Value(traceKey{}).(trace.TraceID)
	if former := rootContext(id); former.IsValid() && former.TraceID() != given {
		ctx, options = trace.ContextWithRemoteSpanContext(ctx, former), nil
	}
	return Tracer().Start(ctx, SpanRound, options...) //nolint:spancheck // the caller ends it
}

// StartJob opens the root span of one job's trace, linked to the span of ctx
// (the round's). A trace of its own for each job makes a round of 256 miners
// 256 readable traces and not one. id is the trace to continue, from the job's
// record, which began at since; "" opens a new one. EndJob ends the span when the job
// has ended. If another process continues the job, this span never ends and so is not
// exported. LinkJob leads from the round to it.
func StartJob(ctx context.Context, j Job, id string, since time.Time) (context.Context, trace.Span) {
	options := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx))}
	if id != "" && !since.IsZero() {
		options = append(options, trace.WithTimestamp(since))
	}
	ctx = inTrace(With(ctx, j.attributes()...), rootContext(id).TraceID())
	return Tracer().Start(ctx, SpanJob, options...) //nolint:spancheck // see above
}

// LinkReplay links the job's trace that ctx is in to the one that it replays. A
// trace that is not known is left out.
func LinkReplay(ctx context.Context, former string) {
	link := rootContext(former)
	if !link.IsValid() {
		return
	}
	span := trace.SpanFromContext(ctx)
	span.AddLink(trace.Link{SpanContext: link, Attributes: []attribute.KeyValue{Replays.String(former)}})
	span.SetAttributes(Replays.String(former))
}

// LinkJob leaves a span in the trace of ctx, the round's, that leads to a job's.
func LinkJob(ctx context.Context, j Job, root trace.Span) {
	_, span := Tracer().Start(ctx, SpanCreate, trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithLinks(trace.Link{SpanContext: root.SpanContext()}),
		trace.WithAttributes(append(j.attributes(), messaging, destination,
			semconv.MessagingOperationTypeCreate, semconv.MessagingOperationName("create"))...))
	span.End()
}

// EndJob ends a job's root span as the job ended: with one of the Outcomes and
// the reason for a failure.
func EndJob(root trace.Span, outcome, failure string) {
	root.SetAttributes(Outcome.String(outcome))
	if outcome == OutcomeFailed {
		root.SetStatus(codes.Error, failure)
	}
	root.End()
}

// End ends a span, with its error if it is one: a cancelled context is not.
func End(span trace.Span, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// Published is what a span says of a message handed to the stream.
func Published(subject, id string, size int) trace.SpanStartOption {
	return trace.WithAttributes(messaging, destination, semconv.MessagingDestinationName(subject),
		semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("publish"),
		semconv.MessagingMessageID(id), semconv.MessagingMessageBodySize(size))
}

// Delivered is what a span says of one delivery.
func Delivered(subject string, size int) trace.SpanStartOption {
	return trace.WithAttributes(messaging, destination, consumer, semconv.MessagingDestinationName(subject),
		semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"), semconv.MessagingMessageBodySize(size))
}

// Settled is what a span says of a delivery's last word: ack, nak or term.
func Settled(how string) trace.SpanStartOption {
	return trace.WithAttributes(messaging, destination, consumer,
		semconv.MessagingOperationTypeSettle, semconv.MessagingOperationName(how))
}
