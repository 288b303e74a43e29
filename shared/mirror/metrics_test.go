package mirror_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// The metrics show the breaker of a real client: closed at the start, open after
// failures, closed again after an answer. Each 429 counts.
func TestTheBreakerAndThrottlingShowInTheMetrics(t *testing.T) { //nolint:paralleltest // the meter provider is the process's
	reader := telemetrytest.Meter(t)
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
		return telemetrytest.Points(t, reader, telemetry.MetricBreakerState, telemetry.BreakerState)
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
	must.Get(b.client.Files(t.Context(), "a/b", 1))(t)
	if diff := cmp.Diff(map[string]int64{"closed": 1, "half-open": 0, "open": 0}, state()); diff != "" {
		t.Errorf("after an answer (-want +got):\n%s", diff)
	}
	changes := telemetrytest.Points(t, reader, telemetry.MetricBreakerChanges, telemetry.BreakerState)
	if changes["open"] != 1 || changes["closed"] != 1 || changes["half-open"] < 1 {
		t.Errorf("changes: %v, want one to open, one to closed, and to half-open in between", changes)
	}
	if got := telemetrytest.Points(t, reader, telemetry.MetricThrottled, ""); got[""] != 1 {
		t.Errorf("throttled: %v, want 1", got)
	}
}
