package telemetry_test

import (
	"context"
	"maps"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry"
)

// Metrics reach a collector by both protocols, at the latest when the process
// ends; what alerts look at begins with 0.
func TestMetricsReachTheCollector(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(*testing.T) (*receiver, string)
		env   map[string]string
		at    string
	}{
		"http":                  {serveHTTP, nil, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"grpc":                  {serveGRPC, map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"grpc for metrics only": {serveGRPC, map[string]string{"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"},
	} {
		t.Run(name, func(t *testing.T) {
			receiver, url := c.serve(t)
			t.Setenv(c.at, url)
			env := map[string]string{"OTEL_METRICS_EXPORTER": "otlp"}
			maps.Copy(env, c.env)
			before := otel.GetMeterProvider()
			shutdown := set(t, env)
			t.Cleanup(func() { otel.SetMeterProvider(before) })
			if !telemetry.Measuring() {
				t.Error("nobody can read the metrics, want the collector to")
			}
			telemetry.JobEnded(t.Context(), telemetry.OutcomeDone, "", 0)
			telemetry.JobEnded(t.Context(), telemetry.OutcomeRetry, "transient", 0)
			telemetry.MirrorRequested(t.Context(), telemetry.Request{Method: "GET", Route: "/", Status: 429})
			must.Do(t, shutdown(context.WithoutCancel(t.Context())))
			receiver.mu.Lock()
			defer receiver.mu.Unlock()
			for metric, want := range map[string]int64{
				telemetry.MetricJobOutcomes: 2, telemetry.MetricThrottled: 1, telemetry.MetricLeaseLosses: 0, telemetry.MetricChildEnds: 0,
			} {
				if got, there := receiver.sums[metric]; !there || got != want {
					t.Errorf("%s is %d (there: %t), want %d", metric, got, there, want)
				}
			}
			if telemetry.Measuring() {
				t.Error("somebody can read the metrics after the end")
			}
		})
	}
	otel.SetMeterProvider(noop.NewMeterProvider())
}
