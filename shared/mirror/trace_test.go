package mirror_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace/noop"
)

// One call is one span with all its tries. The span's name has no ids, and the mirror
// never sees the trace.
//
//nolint:paralleltest // the tracer provider is the process's
func TestSpans(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(spans))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Cleanup(func() {
		otel.SetTracerProvider(noop.NewTracerProvider())
		otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator())
	})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context //nolint:containedctx // a column of the table
		handle http.HandlerFunc
		want   map[string]any
		status codes.Code
		events []string
	}{
		{
			"an answer at the third try", t.Context(), then(say(200, emptyFiles), say(500, ""), cut),
			map[string]any{
				"http.response.status_code": int64(200), "http.request.resend_count": int64(2),
				"mirror.items": int64(0), "mirror.malformed": int64(0),
			},
			codes.Unset, []string{"try failed", "try failed"},
		},
		{
			"a final answer", t.Context(), say(404, ""),
			map[string]any{"http.response.status_code": int64(404), "http.request.resend_count": int64(0), "error.type": "404"},
			codes.Error, []string{"try failed", "exception"},
		},
		{"nobody waits", cancelled, say(200, emptyFiles), nil, codes.Unset, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			spans.Reset()
			b := setup(t, c.handle)
			ctx, parent := provider.Tracer("test").Start(c.ctx, "parent")
			_, _ = b.client.Files(ctx, "a/b", 12)
			parent.End()
			var own tracetest.SpanStubs
			for _, span := range spans.GetSpans() {
				if span.Parent.SpanID() == parent.SpanContext().SpanID() {
					own = append(own, span)
				}
			}
			if len(own) != 1 {
				t.Fatalf("got %d spans under the caller's, want one for the call", len(own))
			}
			const route = "/api/v1/pulls/{owner}/{repo}/{number}/files"
			if got, want := own[0].Name, "GET "+route; got != want {
				t.Errorf("got name %q, want %q", got, want)
			}
			got := map[string]any{}
			for _, kv := range own[0].Attributes {
				got[string(kv.Key)] = kv.Value.AsInterface()
			}
			address, _ := url.Parse(b.server.URL)
			port, _ := strconv.Atoi(address.Port())
			want := map[string]any{
				"http.request.method": "GET", "url.template": route, "mirror.breaker.state": "closed", "server.address": "127.0.0.1",
				"server.port": int64(port), "url.full": address.JoinPath("/api/v1/pulls/a/b/12/files").String(),
			}
			maps.Copy(want, c.want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			var events []string
			for _, event := range own[0].Events {
				events = append(events, event.Name)
			}
			if diff := cmp.Diff(c.events, events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if got := own[0].Status.Code; got != c.status {
				t.Errorf("got status %s, want %s", got, c.status)
			}
			for _, r := range b.saw() {
				if got := r.header.Get("Traceparent"); got != "" {
					t.Errorf("the mirror saw traceparent %q, want none", got)
				}
			}
		})
	}
}
