package telemetry

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/trace"
)

// Why spans do not reach the collector.
const (
	DropQueue  = "queue_full"    // the collector is slower than the work
	DropExport = "export_failed" // it is away, or refuses them
	DropTail   = "held_too_many" // of traces that were not sampled and not decided yet
)

// counted counts the spans that do not reach the collector. The batcher drops
// in silence when its queue is full; so nothing is handed to it beyond that.
type counted struct {
	trace.SpanProcessor // the batcher

	most     int64
	underway *atomic.Int64
	dropped  func(n int, why string)
}

// countedExporter is the batcher's other end.
type countedExporter struct {
	trace.SpanExporter

	underway *atomic.Int64
	dropped  func(n int, why string)
}

// newCounted makes a batcher for an exporter whose queue holds most spans.
func newCounted(exporter trace.SpanExporter, most int, dropped func(n int, why string)) *counted {
	underway := &atomic.Int64{}
	return &counted{
		SpanProcessor: trace.NewBatchSpanProcessor(countedExporter{exporter, underway, dropped}, trace.WithMaxQueueSize(most)),
		most:          int64(most), underway: underway, dropped: dropped,
	}
}

func (c *counted) OnEnd(s trace.ReadOnlySpan) {
	if c.underway.Add(1) > c.most {
		c.underway.Add(-1)
		c.dropped(1, DropQueue)
		return
	}
	c.SpanProcessor.OnEnd(s)
}

// Shutdown stops the batcher even if ctx has ended; what is left then is lost.
func (c *counted) Shutdown(ctx context.Context) error {
	err := c.SpanProcessor.Shutdown(ctx)
	if left := c.underway.Swap(0); left > 0 && err != nil {
		c.dropped(int(left), DropExport)
		return fmt.Errorf("%d spans are lost: %w", left, err)
	}
	return err //nolint:wrapcheck // the batcher's own
}

func (e countedExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	defer e.underway.Add(-int64(len(spans)))
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		e.dropped(len(spans), DropExport)
	}
	return err //nolint:wrapcheck // the batcher hands it to the error handler
}
