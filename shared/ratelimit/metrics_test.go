package ratelimit_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// TestMetrics collects a limiter's metrics and compares them with Stats.
func TestMetrics(t *testing.T) { //nolint:paralleltest // the meter provider is the process's
	reader := telemetrytest.Meter(t)
	s := embedded(t)
	cfg := quick()
	cfg.Egress = "measured"
	l := s.limiter(t, cfg)
	for range 3 {
		permit(t, l)
	}
	for range 2 { // the second is told of one that runs
		if err := l.CoolDown(t.Context(), time.Millisecond+2*quick().Horizon); err != nil {
			t.Logf("the cool-down comes with the next reservation: %v", err)
		}
	}
	permit(t, l)
	must.Do(t, patient(t, s).FlushAll(t.Context()).Err())
	permit(t, l)
	must.Get(view(t, l, 1).Permit(t.Context()))(t)
	ratelimit.Usable(l.Limiter, time.Unix(1, 0), time.Unix(2, 0)) // one that is late
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = l.Permit(ctx) }()
	await(t, "one waits", func() bool { return l.Stats().Waiting == 1 })

	got, waits := collect(t, reader, "measured")
	cancel()
	<-gone
	stats := l.Stats()
	want := map[string]int64{
		telemetry.MetricPermits + " granted": 5, telemetry.MetricPermits + " granted background": 1, telemetry.MetricWaiting: 1, telemetry.MetricCoolDowns: 1,
		telemetry.MetricStateLosses: 1,
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %d, want %d", name, got[name], value)
		}
	}
	if waits != 6 {
		t.Errorf("%s has %d waits, want 6", telemetry.MetricPermitWait, waits)
	}
	if got[telemetry.MetricPermits+" late"] < 1 || got[telemetry.MetricRedisCalls] < 5 || got[telemetry.MetricRefusals] < 1 {
		t.Errorf("metrics are %v, want late permits, calls and refusals among them", got)
	}
	// The metrics equal the counts of Stats. The last waiter may have asked in between.
	after, _ := collect(t, reader, "measured")
	same := map[string]int64{
		telemetry.MetricPermits + " granted":            stats.Granted - stats.Background,
		telemetry.MetricPermits + " granted background": stats.Background, telemetry.MetricPermits + " late": stats.Late,
		telemetry.MetricPermits + " void": stats.Void, telemetry.MetricRefusals: stats.Refused,
		telemetry.MetricRedisCalls: stats.Asked, telemetry.MetricLostAnswers: stats.Lost,
		telemetry.MetricWaiting: 0, telemetry.MetricCoolDowns: 1, telemetry.MetricStateLosses: 1,
	}
	for name, value := range same {
		if value == 0 && after[name] == 0 {
			delete(same, name) // what was never counted need not be there
			delete(after, name)
		}
	}
	if diff := cmp.Diff(same, after); diff != "" {
		t.Errorf("metrics and Stats differ (-Stats +metrics)\n%s", diff)
	}
}

// collect reads the sums of an egress by name and outcome, and the number of waits.
func collect(t *testing.T, reader *metric.ManualReader, egress string) (sums map[string]int64, waits uint64) {
	t.Helper()
	ours := func(set attribute.Set) bool {
		value, _ := set.Value(telemetry.Egress)
		return value.AsString() == egress
	}
	sums = map[string]int64{}
	for _, m := range telemetrytest.Collect(t, reader) {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				name := m.Name
				if outcome, found := point.Attributes.Value(telemetry.PermitOutcome); found {
					name += " " + outcome.AsString()
				}
				if class, _ := point.Attributes.Value(telemetry.PermitClass); class.AsString() == "background" && m.Name == telemetry.MetricPermits {
					name += " background"
				}
				if ours(point.Attributes) {
					sums[name] += point.Value
				}
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				if ours(point.Attributes) {
					waits += point.Count
				}
			}
		}
	}
	return sums, waits
}
