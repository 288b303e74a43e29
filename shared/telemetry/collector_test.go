package telemetry_test

import (
	"context"
	"io"
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

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// watched sets the process up with metrics that can be read too, undoes it as set
// does, and keeps the log.
func watched(t *testing.T) (shutdown func(context.Context) error, log *telemetrytest.Log) {
	t.Helper()
	log = &telemetrytest.Log{}
	shutdown = must.Get(telemetry.Setup(t.Context(), telemetry.Config{
		Service: "worker", Metrics: prometheus.NewRegistry(), Log: log.Logger(),
	}))(t)
	t.Cleanup(func() {
		otel.SetTracerProvider(tracenoop.NewTracerProvider())
		otel.SetMeterProvider(noop.NewMeterProvider())
	})
	return shutdown, log
}

// A collector that takes requests and does not answer holds nothing up: spans
// end as before, more of them than the queue holds, and the shutdown ends with its
// context. What the queue held is sent as soon as the collector answers.
//
//nolint:paralleltest // provider and environment are the process's
func TestACollectorThatHangsHoldsNothingUp(t *testing.T) {
	const queue, batch = 16, 8
	requests, release := make(chan struct{}, 1+queue), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests <- struct{}{}
		<-release
	}))
	t.Cleanup(server.Close)
	free := sync.OnceFunc(func() { close(release) })
	t.Cleanup(free)
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": server.URL, "OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
	} {
		t.Setenv(name, value)
	}
	shutdown, log := watched(t)
	asked := func() {
		t.Helper()
		select {
		case <-requests:
		case <-time.After(time.Minute):
			t.Fatal("the collector was not asked")
		}
	}
	for range batch { // they hang
		_, span := start(t.Context(), "span")
		span.End()
	}
	asked()
	began := time.Now()
	for range 1000 {
		_, span := start(t.Context(), "span")
		span.End()
	}
	if took := time.Since(began); took > 5*time.Second { // an export is given up after ten
		t.Errorf("1000 spans took %s beside a collector that hangs", took)
	}
	ended, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := shutdown(ended); err == nil {
		t.Error("shutdown told of nothing, want its context's error")
	}
	free()
	for range queue / batch {
		asked()
	}
	if log.Count("level=WARN") > 0 {
		t.Errorf("want no complaint: the collector answered\n%s", log)
	}
}

// A demo round has 20 spans a second: ten minutes of them wait for a collector
// that is busy, and none is lost.
//
//nolint:paralleltest // provider and environment are the process's
func TestASlowCollectorLosesNothing(t *testing.T) {
	const spans = 10 * 60 * 20
	receiver, busy := &receiver{}, make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-busy
		receiver.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	shutdown := set(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL})
	for range spans {
		_, span := start(t.Context(), "span")
		span.End()
	}
	close(busy)
	must.Do(t, shutdown(context.WithoutCancel(t.Context())))
	got := 0
	for _, resource := range receiver.got {
		for _, scope := range resource.GetScopeSpans() {
			got += len(scope.GetSpans())
		}
	}
	if got != spans {
		t.Errorf("%d spans came, want %d", got, spans)
	}
}

// A collector that takes nothing costs spans and one line in the log, which does
// not repeat the secrets that it echoes.
//
//nolint:paralleltest // provider and environment are the process's
func TestEchoesAreScrubbed(t *testing.T) {
	const secret = "s3cret-of-the-collector"
	refusing := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "you sent "+r.Header.Get("X-Key")+" to "+r.URL.Path, http.StatusUnauthorized)
		refusing <- struct{}{}
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL + "/hush-of-the-path/", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=" + secret,
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
	} {
		t.Setenv(name, value)
	}
	shutdown, log := watched(t)
	for range 32 {
		_, span := start(t.Context(), "span")
		span.End()
	}
	err := shutdown(context.WithoutCancel(t.Context())) // the metrics' export is a part of it
	if err == nil || !strings.Contains(err.Error(), "[secret]") || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "hush") {
		t.Errorf("shutdown: %v, want the collector's answer without the secrets", err)
	}
	if n := len(refusing); n < 5 {
		t.Errorf("the collector was asked %d times, want four batches of spans and the metrics", n)
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "[secret]") || strings.Contains(text, secret) || strings.Contains(text, "hush") {
		t.Errorf("want one complaint in the log, without the secrets:\n%s", text)
	}
}
