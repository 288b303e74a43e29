package mirror

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/telemetry"
)

// startSpan opens the span of one request, all its tries.
func (c *Client) startSpan(ctx context.Context, r request) (context.Context, trace.Span) {
	ctx, span := telemetry.Tracer().Start(ctx, telemetry.MirrorSpan(r.method, r.route), trace.WithSpanKind(trace.SpanKindClient))
	if !span.IsRecording() {
		return ctx, span
	}
	span.SetAttributes(semconv.HTTPRequestMethodKey.String(r.method), semconv.URLTemplate(r.route),
		semconv.ServerAddress(c.base.Hostname()), semconv.URLFull(c.address+r.path), // without the query: a cursor tells nobody anything
		telemetry.BreakerState.String(c.breaker.State().String()))
	if c.port != 0 {
		span.SetAttributes(semconv.ServerPort(c.port))
	}
	if r.page > 0 {
		span.SetAttributes(telemetry.Page.Int(r.page))
	}
	return ctx, span
}

// endSpan ends it. What its owner broke off is no error.
func endSpan(ctx context.Context, span trace.Span, err error) {
	if failed, ok := errors.AsType[*RequestError](err); ok {
		span.SetAttributes(semconv.HTTPRequestResendCount(failed.Tries-1), semconv.ErrorTypeKey.String(failed.kind()))
		if failed.Status != 0 {
			span.SetAttributes(semconv.HTTPResponseStatusCode(failed.Status))
		}
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		span.RecordError(err)
		span.SetStatus(codes.Error, "request failed")
	}
	span.End()
}

// answered shows which try had the answer, and what was in it.
func answered(span trace.Span, r request, status, tries int) {
	span.SetAttributes(semconv.HTTPResponseStatusCode(status), semconv.HTTPRequestResendCount(tries-1))
	if r.holds != nil {
		items, malformed := r.holds()
		span.SetAttributes(telemetry.Items.Int(items), telemetry.Malformed.Int(malformed))
	}
}

// kind names a failure in few words, as the conventions want it: the status,
// or what went wrong without one.
func (e *RequestError) kind() string {
	if e.Status >= http.StatusBadRequest {
		return strconv.Itoa(e.Status)
	}
	return kind(e.Err)
}

func kind(err error) string {
	switch {
	case errors.Is(err, errTimeout):
		return "timeout"
	case errors.Is(err, errTooLarge):
		return "too_large"
	case errors.Is(err, errNotJSON):
		return "not_json"
	case errors.Is(err, context.Canceled), errors.Is(err, ErrClosed):
		return "cancelled"
	}
	return "connection"
}

type routeKey struct{}

// sentAs names a request in the metrics: by its route, without ids.
func sentAs(ctx context.Context, route string) context.Context {
	return context.WithValue(ctx, routeKey{}, route)
}

// measured is one sending, for the metrics.
type measured struct {
	ctx     context.Context //nolint:containedctx // it is the sending's own
	request telemetry.Request
	began   time.Time
}

func measure(r *http.Request) *measured {
	route, _ := r.Context().Value(routeKey{}).(string)
	return &measured{ctx: r.Context(), began: time.Now(), request: telemetry.Request{
		Method: r.Method, Route: route, Host: r.URL.Hostname(),
	}}
}

// done counts it: with its status, or with what went wrong.
func (m *measured) done(status int, err error) {
	m.request.Status, m.request.Took = status, time.Since(m.began)
	if err != nil {
		m.request.Failure = kind(err)
	}
	telemetry.MirrorRequested(m.ctx, m.request)
}
