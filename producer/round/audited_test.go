package round_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/lease"
)

// gauges sets the process's meter provider, and returns what reads a gauge: the
// values by their only attribute, "" for none. Such tests cannot be parallel.
func gauges(t *testing.T) (read func(ctx context.Context, name string) map[string]int64) {
	t.Helper()
	reader, before := sdkmetric.NewManualReader(), otel.GetMeterProvider()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	return func(ctx context.Context, name string) map[string]int64 {
		var got metricdata.ResourceMetrics
		if err := reader.Collect(ctx, &got); err != nil {
			t.Error(err)
		}
		values := map[string]int64{}
		for _, scope := range got.ScopeMetrics {
			for _, m := range scope.Metrics {
				gauge, ok := m.Data.(metricdata.Gauge[int64])
				if m.Name != name || !ok {
					continue
				}
				for _, point := range gauge.DataPoints {
					key := ""
					for _, a := range point.Attributes.ToSlice() {
						key = a.Value.AsString()
					}
					values[key] = point.Value
				}
			}
		}
		return values
	}
}

// What does not fit in mid-round shows in the metrics, which is what the alert
// looks at; the sides add up all the while. What was passing is gone from them
// when the round has ended, as is everything when another goes on with it.
func TestWhatDoesNotFitShowsInTheMetrics(t *testing.T) { //nolint:paralleltest // see gauges
	gauge := gauges(t)
	b := setup(t, jobstream.Config{})
	discrepancies := func(ctx context.Context) int64 { return gauge(ctx, telemetry.MetricAuditDiscrepancies)[""] }
	for name, ends := range map[string]bool{"concluded": true, "left to another": false} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // as above
			m := b.plan(t, four()...)
			m.Round = map[bool]string{true: "r1", false: "r2"}[ends]
			ctx, leave := context.WithCancel(deadline(t))
			defer leave()
			b.work(t, func(ctx context.Context, j job.Job, _ lease.Attempt) (job.Evaluation, error) {
				if j.UID != 1 {
					return evaluated(j, 1), nil
				}
				if _, err := b.bus.PlanRecord(ctx, job.Plan(m.Round, 99, "")); err != nil { // somebody's mistake
					return job.Evaluation{}, err
				}
				if err := again(ctx, func() error {
					if discrepancies(ctx) != 1 {
						return jobstream.ErrNotFound
					}
					return nil
				}); err != nil {
					return job.Evaluation{}, err
				}
				if !ends {
					leave()
				}
				b.deleteRecord(t, m, 99) //nolint:contextcheck // the test's own
				return evaluated(j, 1), nil
			})
			_, err := b.runner(t).Start(ctx, m)
			if ends != (err == nil) || !ends && !errors.Is(err, context.Canceled) {
				t.Fatalf("the round ended with %v, want it concluded: %t", err, ends)
			}
			if n := discrepancies(t.Context()); n != 0 {
				t.Errorf("%d discrepancies are told after the round, want none", n)
			}
			want := map[bool]int64{true: 2}[ends]
			if sides := gauge(t.Context(), telemetry.MetricAuditJobs); sides["planned"] != want || sides["done"] != want || sides["outstanding"] != 0 {
				t.Errorf("the sides are %v after the round, want %d planned and done", sides, want)
			}
		})
	}
}
