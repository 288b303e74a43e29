package telemetry_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/telemetry"
)

func TestSpansReachTheCollector(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(*testing.T) (*receiver, string)
		env   map[string]string
		at    string // the setting that holds the endpoint
		path  string
	}{
		"http by default":     {serveHTTP, nil, "OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces"},
		"http compressed":     {serveHTTP, map[string]string{"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}, "OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces"},
		"its traces endpoint": {serveHTTP, nil, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/"},
		"grpc":                {serveGRPC, map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_ENDPOINT", ""},
	} {
		t.Run(name, func(t *testing.T) {
			receiver, url := c.serve(t)
			t.Setenv(c.at, url)
			shutdown := set(t, c.env)

			// A producer's span goes through a message's headers to a worker's.
			tracer := otel.Tracer(telemetry.Scope)
			ctx, publish := tracer.Start(t.Context(), telemetry.SpanPublish)
			header := nats.Header{}
			telemetry.Inject(ctx, header)
			publish.End()
			received := telemetry.Extract(context.Background(), header)
			process, span := tracer.Start(received, telemetry.SpanProcess)
			span.End()
			if got, want := telemetry.TraceID(process), telemetry.TraceID(ctx); got != want || got == "" {
				t.Errorf("trace of the worker's span: got %q, want the producer's %q", got, want)
			}
			if err := shutdown(context.WithoutCancel(t.Context())); err != nil {
				t.Fatalf("shutdown: %v", err)
			}

			spans, resource := receiver.spans()
			parent, child := spans[telemetry.SpanPublish], spans[telemetry.SpanProcess]
			if parent == nil || child == nil {
				t.Fatalf("got spans %v, want both", spans)
			}
			if got, want := hex.EncodeToString(child.GetParentSpanId()), hex.EncodeToString(parent.GetSpanId()); got != want {
				t.Errorf("parent of the worker's span: got %s, want %s", got, want)
			}
			want := map[string]string{
				"service.name": "worker", "service.namespace": "mirrorfleet", "service.version": "v1.2.3", "service.instance.id": "host-1",
			}
			for key, value := range want {
				if resource[key] != value {
					t.Errorf("resource %s: got %q, want %q", key, resource[key], value)
				}
			}
			if receiver.path != c.path {
				t.Errorf("path: got %q, want %q", receiver.path, c.path)
			}
		})
	}
}

//nolint:paralleltest // provider and environment are the process's
func TestWithoutAnEndpointNothingIsRecordedButTracesAreHandedOn(t *testing.T) {
	//nolint:paralleltest // as above
	for name, env := range map[string]map[string]string{
		"no endpoint":     nil,
		"switched off":    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": " True "},
		"exporter 'none'": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			shutdown := set(t, env)
			const id = "0af7651916cd43dd8448eb211c80319c"
			came := nats.Header{"Traceparent": {"00-" + id + "-b7ad6b7169203331-01"}}
			ctx, span := otel.Tracer(telemetry.Scope).Start(telemetry.Extract(t.Context(), came), telemetry.SpanProcess)
			if span.IsRecording() {
				t.Error("the span records, want none to")
			}
			goes := nats.Header{}
			telemetry.Inject(ctx, goes)
			if got := goes.Get("Traceparent"); !strings.Contains(got, id) {
				t.Errorf("handed on %q, want the trace %s", got, id)
			}
			if err := shutdown(t.Context()); err != nil {
				t.Errorf("shutdown: %v", err)
			}
		})
	}
}

func TestLogsHaveTheIDsOfTheirSpan(t *testing.T) {
	t.Parallel()
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	inSpan := trace.ContextWithSpanContext(t.Context(), span)
	for name, c := range map[string]struct {
		terminal bool
		want     string
	}{
		"json":     {false, `"trace_id":"` + span.TraceID().String() + `","span_id":"` + span.SpanID().String() + `"`},
		"terminal": {true, "trace_id=" + span.TraceID().String() + " span_id=" + span.SpanID().String()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := telemetry.Logger(&out, c.terminal, slog.LevelInfo).With("part", "mirror")
			log.InfoContext(inSpan, "with")
			log.Info("without")
			log.DebugContext(inSpan, "below the level")
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(lines) != 2 || !strings.Contains(lines[0], c.want) || strings.Contains(lines[1], "trace_id") {
				t.Errorf("got\n%s\nwant %s in the first of two lines only", out.String(), c.want)
			}
			if lines[0][0] == '{' == c.terminal {
				t.Errorf("got %s: JSON is for what is no terminal", lines[0])
			}
		})
	}
}

// A duration is read by people, in a terminal and in JSON: neither as a count of
// nanoseconds nor with all nine digits of a clock.
func TestLogsHaveReadableDurations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{1500 * time.Millisecond, "1.5s"},
		{1234567891 * time.Nanosecond, "1.23s"},
		{123456789 * time.Nanosecond, "123.46ms"},
		{345678 * time.Nanosecond, "345.678µs"},
		{2*time.Hour + 123456789*time.Nanosecond, "2h0m0s"},
		{-90*time.Second - 123456789*time.Nanosecond, "-1m30s"},
		{0, "0s"},
	} {
		for name, want := range map[string]string{
			"terminal": "took=" + c.want + " part.took=" + c.want,
			"json":     `"took":"` + c.want + `","part":{"took":"` + c.want + `"}`,
		} {
			var out bytes.Buffer
			log := telemetry.Logger(&out, name == "terminal", slog.LevelInfo)
			log.With("took", c.d).Info("done", slog.Group("part", "took", c.d))
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s of %d: got %s, want %s", name, c.d, out.String(), want)
			}
		}
	}
}
