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
	exporter *countedExporter
}

// countedExporter is the batcher's other end.
type countedExporter struct {
	trace.SpanExporter

	underway atomic.Int64
	dropped  func(n int, why string)
	// life ends with the shutdown: the exporter's own tries go on for a minute.
	life context.Context //nolint:containedctx // it is the exporter's own
	end  context.CancelFunc
	// ended is closed when the batcher has nothing left to do.
	ended chan struct{}
}

// newCounted makes a batcher for an exporter whose queue holds most spans.
func newCounted(exporter trace.SpanExporter, most int, dropped func(n int, why string)) *counted {
	e := &countedExporter{SpanExporter: exporter, dropped: dropped, ended: make(chan struct{})}
	e.life, e.end = context.WithCancel(context.Background())
	return &counted{trace.NewBatchSpanProcessor(e, trace.WithMaxQueueSize(most)), int64(most), e}
}

func (c *counted) OnEnd(s trace.ReadOnlySpan) {
	if c.exporter.underway.Add(1) > c.most {
		c.exporter.underway.Add(-1)
		c.exporter.dropped(1, DropQueue)
		return
	}
	c.SpanProcessor.OnEnd(s)
}

// Shutdown stops the batcher even if ctx has ended; what is left then is lost.
// The batcher returns then and leaves an export running, with its waits between
// tries; here that is ended, and waited for.
func (c *counted) Shutdown(ctx context.Context) error {
	err := c.SpanProcessor.Shutdown(ctx)
	left := c.exporter.underway.Load()
	c.exporter.end()
	<-c.exporter.ended
	if left > 0 && err != nil {
		return fmt.Errorf("%d spans are lost: %w", left, err)
	}
	return err //nolint:wrapcheck // the batcher's own
}

// Shutdown is the batcher's last call, once it has exported all that it can.
func (e *countedExporter) Shutdown(ctx context.Context) error {
	defer close(e.ended)
	return e.SpanExporter.Shutdown(ctx) //nolint:wrapcheck // the batcher hands it on
}

func (e *countedExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	defer e.underway.Add(-int64(len(spans)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.life, cancel)() //nolint:contextcheck // the exporter's own life
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		e.dropped(len(spans), DropExport)
	}
	return err //nolint:wrapcheck // the batcher hands it to the error handler
}
