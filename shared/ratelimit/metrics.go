package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"mirrorfleet/shared/telemetry"
)

// counter counts twice: for Stats and for the metrics.
type counter struct {
	n     atomic.Int64
	total metric.Int64Counter
	with  metric.MeasurementOption
}

func (c *counter) add(ctx context.Context) {
	c.n.Add(1)
	c.total.Add(ctx, 1, c.with)
}

// counters are what a limiter counts of itself, whatever the class.
type counters struct{ asked, lost, coolDowns, lostStates counter }

// permitCounters are what it counts of one class.
type permitCounters struct {
	granted, late, void, refused counter

	waiting metric.Int64UpDownCounter
	wait    metric.Float64Histogram
	with    metric.MeasurementOption
}

// permit counts one that was granted, after a wait.
func (c *permitCounters) permit(ctx context.Context, wait time.Duration) {
	c.granted.add(ctx)
	c.wait.Record(ctx, wait.Seconds(), c.with)
}

// waits counts waiters in and out.
func (c *permitCounters) waits(ctx context.Context, change int64) { c.waiting.Add(ctx, change, c.with) }

// instrument says which counter is made on the process's meter provider; one that is
// set later takes it over.
type instrument struct {
	counter              *counter
	outcome              string // of a permit; "" for a metric that counts no permits
	name, unit, describe string
}

// make makes it, with attributes beside the outcome.
func (i instrument) make(of ...attribute.KeyValue) error {
	if i.outcome != "" {
		of = append(slices.Clone(of), telemetry.PermitOutcome.String(i.outcome))
	}
	i.counter.with = metric.WithAttributeSet(attribute.NewSet(of...))
	var err error
	i.counter.total, err = otel.Meter(telemetry.Scope).Int64Counter(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.describe))
	if err != nil {
		return fmt.Errorf("making %s: %w", i.name, err)
	}
	return nil
}

func newCounters(egress string) (*counters, error) {
	c := &counters{}
	var errs []error
	for _, one := range []instrument{
		{&c.asked, "", telemetry.MetricRedisCalls, "{call}", "Calls to Redis for a slot or a cool-down."},
		{&c.lost, "", telemetry.MetricLostAnswers, "{call}", "Calls without a usable answer; each may have spent a slot."},
		{&c.coolDowns, "", telemetry.MetricCoolDowns, "{cool_down}", "Cool-downs that this process was told to begin by the mirror."},
		{&c.lostStates, "", telemetry.MetricStateLosses, "{loss}", "Times that this process saw the bucket start again from an unknown state."},
	} {
		errs = append(errs, one.make(telemetry.Egress.String(egress)))
	}
	return c, errors.Join(errs...)
}

func newPermitCounters(egress, class string) (*permitCounters, error) {
	const describe = "Permits by what became of them: granted, or thrown away as late or made void by a cool-down."
	of := []attribute.KeyValue{telemetry.Egress.String(egress), telemetry.PermitClass.String(class)}
	c := &permitCounters{with: metric.WithAttributeSet(attribute.NewSet(of...))}
	var errs []error
	for _, one := range []instrument{
		{&c.granted, "granted", telemetry.MetricPermits, "{permit}", describe},
		{&c.late, "late", telemetry.MetricPermits, "{permit}", describe},
		{&c.void, "void", telemetry.MetricPermits, "{permit}", describe},
		{&c.refused, "", telemetry.MetricRefusals, "{refusal}", "Times that this process was told to ask again later."},
	} {
		errs = append(errs, one.make(of...))
	}
	meter := otel.Meter(telemetry.Scope)
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
