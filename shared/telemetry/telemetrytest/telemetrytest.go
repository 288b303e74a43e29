// Package telemetrytest reads the metrics ([Meter]) and the logs ([Log]) of a test's
// process.
//
// The meter provider is the process's: a test that sets it cannot be parallel,
// and gives it back at its end. It fails when metrics cannot be read; a metric
// that nobody has recorded is empty.
package telemetrytest

import (
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Meter sets the process's meter provider until the test ends, and returns what
// reads it.
func Meter(tb testing.TB) *metric.ManualReader {
	tb.Helper()
	reader, before := metric.NewManualReader(), otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	tb.Cleanup(func() { otel.SetMeterProvider(before) })
	return reader
}

// Collect reads all metrics.
func Collect(tb testing.TB, reader *metric.ManualReader) (all []metricdata.Metrics) {
	tb.Helper()
	var got metricdata.ResourceMetrics
	if err := reader.Collect(tb.Context(), &got); err != nil {
		tb.Error(err)
	}
	for _, scope := range got.ScopeMetrics {
		all = append(all, scope.Metrics...)
	}
	return all
}

// Points reads a counter or gauge of whole numbers by one attribute; what has
// not got it is under "".
func Points(tb testing.TB, reader *metric.ManualReader, name string, by attribute.Key) map[string]int64 {
	tb.Helper()
	values := map[string]int64{}
	for _, m := range Collect(tb, reader) {
		if m.Name != name {
			continue
		}
		for _, point := range wholes(m.Data) {
			value, _ := point.Attributes.Value(by)
			values[value.AsString()] += point.Value
		}
	}
	return values
}

func wholes(data metricdata.Aggregation) []metricdata.DataPoint[int64] {
	switch data := data.(type) {
	case metricdata.Sum[int64]:
		return data.DataPoints
	case metricdata.Gauge[int64]:
		return data.DataPoints
	}
	return nil
}
