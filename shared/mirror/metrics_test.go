package mirror_test

import (
	"sync/atomic"
	"testing"
	"time"

	"net/http"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/telemetry"
)

// The breaker of a real client shows in the metrics: closed from the start,
// open after its failures, closed again after an answer; and each 429 counts.
func TestTheBreakerAndThrottlingShowInTheMetrics(t *testing.T) { //nolint:paralleltest // the meter provider is the process's
	reader := metric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	var s switched
	var throttle atomic.Bool
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if throttle.CompareAndSwap(true, false) {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		s.handle(say(http.StatusInternalServerError, ""))(w, r)
	}, breaking, func(c *mirror.Config) { c.BreakFor = time.Nanosecond })
	state := func() map[string]int64 {
		return points(t, reader, telemetry.MetricBreakerState, telemetry.BreakerState)
	}
	if diff := cmp.Diff(map[string]int64{"closed": 1, "half-open": 0, "open": 0}, state()); diff != "" {
		t.Errorf("at the start (-want +got):\n%s", diff)
	}
	for i := range 3 {
		if _, err := b.client.Files(t.Context(), "a/b", i); err == nil {
			t.Fatal("got no error, want the mirror to fail")
		}
	}
	if diff := cmp.Diff(map[string]int64{"closed": 0, "half-open": 0, "open": 1}, state()); diff != "" {
		t.Errorf("after three failures (-want +got):\n%s", diff)
	}
	s.mended.Store(true)
	throttle.Store(true)
	if _, err := b.client.Files(t.Context(), "a/b", 1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{"closed": 1, "half-open": 0, "open": 0}, state()); diff != "" {
		t.Errorf("after an answer (-want +got):\n%s", diff)
	}
	changes := points(t, reader, telemetry.MetricBreakerChanges, telemetry.BreakerState)
	if changes["open"] != 1 || changes["closed"] != 1 || changes["half-open"] < 1 {
		t.Errorf("changes: %v, want one to open, one to closed, and to half-open in between", changes)
	}
	if got := points(t, reader, telemetry.MetricThrottled, ""); got[""] != 1 {
		t.Errorf("throttled: %v, want 1", got)
	}
}

// points reads a metric by one attribute.
func points(t *testing.T, reader *metric.ManualReader, name string, by attribute.Key) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	values := map[string]int64{}
	note := func(list []metricdata.DataPoint[int64]) {
		for _, point := range list {
			value, _ := point.Attributes.Value(by)
			values[value.AsString()] += point.Value
		}
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				note(data.DataPoints)
			case metricdata.Gauge[int64]:
				note(data.DataPoints)
			}
		}
	}
	return values
}
