package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"mirrorfleet/shared/telemetry"
)

// watched sets the process up as set does, and returns what reads its page of
// metrics, and its log.
func watched(t *testing.T) (shutdown func(context.Context) error, page func() string, log *strings.Builder) {
	t.Helper()
	log = &strings.Builder{}
	registry := prometheus.NewRegistry()
	shutdown, err := telemetry.Setup(t.Context(), telemetry.Config{
		Service: "worker", Metrics: registry, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		otel.SetTracerProvider(tracenoop.NewTracerProvider())
		otel.SetMeterProvider(noop.NewMeterProvider())
	})
	return shutdown, func() string {
		recorded := httptest.NewRecorder()
		telemetry.Pages(registry).ServeHTTP(recorded, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return recorded.Body.String()
	}, log
}

// A collector that takes requests and never answers holds nothing up: spans end
// as before, those that find the queue full are counted, one line says so, and
// the shutdown ends with its context.
//
//nolint:paralleltest // provider and environment are the process's
func TestACollectorThatHangsHoldsNothingUp(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(asked) })
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		first()
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": server.URL, "OTEL_TRACES_SAMPLER_ARG": "1",
		"OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
	} {
		t.Setenv(name, value)
	}
	shutdown, page, log := watched(t)
	for range 8 { // a batch, which hangs
		_, span := start(t.Context(), "span")
		span.End()
	}
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Fatal("the collector was never asked")
	}
	for range 1000 {
		_, span := start(t.Context(), "span")
		span.End()
	}
	if text := page(); !strings.Contains(text, `mirrorfleet_telemetry_spans_dropped_total{drop_reason="queue_full"} 992`+"\n") {
		t.Errorf("want 992 spans dropped: all but those under way and queued\n%s", text)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := shutdown(ended); err == nil {
		t.Error("shutdown told of nothing, want its context's error")
	}
	if n := strings.Count(log.String(), "not being exported"); n != 1 {
		t.Errorf("%d lines in the log, want one\n%s", n, log.String())
	}
}

// A collector that wants to be asked again later is not, once the shutdown's
// time is over: the wait between the tries ends with it.
//
//nolint:paralleltest // provider and environment are the process's
func TestNothingIsTriedAfterTheShutdown(t *testing.T) {
	asked := make(chan struct{})
	first := sync.OnceFunc(func() { close(asked) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusServiceUnavailable)
		first()
	}))
	before := goleak.IgnoreCurrent()
	shutdown := set(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
	})
	for range 8 { // a batch
		_, span := start(t.Context(), "span")
		span.End()
	}
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Fatal("the collector was never asked")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := shutdown(ended); err == nil || !strings.Contains(err.Error(), "8 spans are lost") {
		t.Errorf("shutdown told of %v, want it to count 8 spans that are lost", err)
	}
	server.Close()
	goleak.VerifyNone(t, before)
}
