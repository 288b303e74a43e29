package telemetry_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"mirrorfleet/shared/telemetry"
)

// spansOfAJob is what a job of a dozen requests has.
const spansOfAJob = 60

// BenchmarkJobsSpans is what the spans of one job cost by themselves, at each
// sampling: recorded, and exported when they are sampled.
func BenchmarkJobsSpans(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer collector.Close()
	for name, env := range map[string]map[string]string{
		"off": {"OTEL_TRACES_EXPORTER": "none"},
		"0":   {"OTEL_TRACES_SAMPLER_ARG": "0"},
		"0.1": {"OTEL_TRACES_SAMPLER_ARG": "0.1"},
		"1":   {"OTEL_TRACES_SAMPLER_ARG": "1"},
	} {
		b.Run(name, func(b *testing.B) {
			b.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL)
			for setting, value := range env {
				b.Setenv(setting, value)
			}
			shutdown, err := telemetry.Setup(b.Context(), telemetry.Config{Service: "worker"})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				ctx, root := telemetry.StartJob(context.Background(), telemetry.Job{Round: "r1", UID: 57, GitHubID: "73606743"}, "", time.Time{})
				for range spansOfAJob {
					_, span := telemetry.Tracer().Start(ctx, "GET /api/v1/pulls/{owner}/{repo}/{number}/files", trace.WithSpanKind(trace.SpanKindClient))
					if span.IsRecording() {
						span.SetAttributes(attribute.String("http.request.method", "GET"), attribute.String("url.full", "http://127.0.0.1/api/v1/pulls/a/b/12/files"),
							attribute.Int("http.response.status_code", 200), attribute.Int("http.request.resend_count", 0))
					}
					span.End()
				}
				root.End()
			}
			if err := shutdown(context.WithoutCancel(b.Context())); err != nil {
				b.Log(err)
			}
			otel.SetTracerProvider(noop.NewTracerProvider())
		})
	}
}
