package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"mirrorfleet/shared/telemetry"
)

// counter counts twice: for Stats, and for whoever collects metrics.
type counter struct {
	n     atomic.Int64
	total metric.Int64Counter
	with  metric.MeasurementOption
}

func (c *counter) add(ctx context.Context) {
	c.n.Add(1)
	c.total.Add(ctx, 1, c.with)
}

// counters are what a limiter counts of itself.
type counters struct {
	granted, late, void, refused, asked, lost, coolDowns, lostStates counter

	waiting metric.Int64UpDownCounter
	wait    metric.Float64Histogram
	with    metric.MeasurementOption
}

// permit counts one that was granted, after a wait.
func (c *counters) permit(ctx context.Context, wait time.Duration) {
	c.granted.add(ctx)
	c.wait.Record(ctx, wait.Seconds(), c.with)
}

// waits counts waiters in and out.
func (c *counters) waits(ctx context.Context, change int64) { c.waiting.Add(ctx, change, c.with) }

// newCounters makes the instruments on the process's meter provider; one that is
// set later takes them over.
func newCounters(egress string) (*counters, error) {
	meter := otel.Meter(telemetry.Scope)
	of := telemetry.Egress.String(egress)
	c := &counters{with: metric.WithAttributeSet(attribute.NewSet(of))}
	var errs []error
	for _, one := range []struct {
		counter              *counter
		outcome              string
		name, unit, describe string
	}{
		{&c.granted, "granted", telemetry.MetricPermits, "{permit}", describePermits},
		{&c.late, "late", telemetry.MetricPermits, "{permit}", describePermits},
		{&c.void, "void", telemetry.MetricPermits, "{permit}", describePermits},
		{&c.refused, "", telemetry.MetricRefusals, "{refusal}", "Times that this process was told to ask again later."},
		{&c.asked, "", telemetry.MetricRedisCalls, "{call}", "Calls to Redis for a slot or a cool-down."},
		{&c.lost, "", telemetry.MetricLostAnswers, "{call}", "Calls without a usable answer; each may have spent a slot."},
		{&c.coolDowns, "", telemetry.MetricCoolDowns, "{cool_down}", "Cool-downs that this process was told to begin by the mirror."},
		{&c.lostStates, "", telemetry.MetricStateLosses, "{loss}", "Times that this process saw the bucket start again from an unknown state."},
	} {
		var err error
		one.counter.total, err = meter.Int64Counter(one.name, metric.WithUnit(one.unit), metric.WithDescription(one.describe))
		errs = append(errs, err)
		one.counter.with = c.with
		if one.outcome != "" {
			one.counter.with = metric.WithAttributeSet(attribute.NewSet(of, telemetry.PermitOutcome.String(one.outcome)))
		}
	}
	var err error
	c.waiting, err = meter.Int64UpDownCounter(telemetry.MetricWaiting, metric.WithUnit("{request}"),
		metric.WithDescription("Requests of this process that wait for a permit."))
	errs = append(errs, err)
	c.wait, err = meter.Float64Histogram(telemetry.MetricPermitWait, metric.WithUnit("s"),
		metric.WithDescription("Time from asking for a permit to having it."),
		metric.WithExplicitBucketBoundaries(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300, 600))
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("making the instruments: %w", err)
	}
	return c, nil
}

const describePermits = "Permits by what became of them: granted, or thrown away as late or made void by a cool-down."
