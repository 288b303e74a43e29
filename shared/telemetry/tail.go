package telemetry

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	apitrace "go.opentelemetry.io/otel/trace"
)

// The bounds of what tail holds. A job's delivery has some dozen spans for each
// of its pull requests; a span takes about a kilobyte.
const (
	mostOfTrace = 4096
	mostHeld    = 16384
)

// tail decides at a trace's end in this process whether to export it: when its
// last open span ends. Spans that the head sampled go on at once; the others
// wait until then, and are let go unless one of them says Kept.
type tail struct {
	next trace.SpanProcessor
	drop func(n int, why string)

	mu     sync.Mutex
	traces map[apitrace.TraceID]*held
	spans  int
}

// held is the part of a trace that waits.
type held struct {
	open  int
	keep  bool
	spans []*light
}

func newTail(next trace.SpanProcessor, drop func(n int, why string)) *tail {
	return &tail{next: next, drop: drop, traces: map[apitrace.TraceID]*held{}}
}

func (t *tail) OnStart(parent context.Context, s trace.ReadWriteSpan) { t.next.OnStart(parent, s) }

func (t *tail) OnEnd(s trace.ReadOnlySpan) {
	if forgotten, _ := marks(s.Attributes()); !forgotten {
		t.next.OnEnd(s)
	}
}

// started counts a light span that is open.
func (t *tail) started(in apitrace.TraceID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.traces[in]
	if h == nil {
		h = &held{}
		t.traces[in] = h
	}
	h.open++
}

// endedLight takes a light span that has ended, and exports what is decided.
func (t *tail) endedLight(l *light) {
	for _, span := range t.take(l) {
		t.next.OnEnd(kept{of: span})
	}
}

// take notes a span's end and returns what is to be exported now.
func (t *tail) take(l *light) []*light {
	forgotten, keep := marks(l.attributes)
	t.mu.Lock()
	defer t.mu.Unlock()
	id := l.context.TraceID()
	h := t.traces[id]
	if h == nil { // decided at the shutdown
		return nil
	}
	h.open--
	h.keep = h.keep || keep
	top := !l.parent.IsValid() || l.parent.IsRemote() // it ends last, and says how all of it ended
	switch {
	case forgotten:
	case !top && (len(h.spans) >= mostOfTrace || t.spans >= mostHeld):
		t.drop(1, DropTail)
	default:
		h.spans = append(h.spans, l)
		t.spans++
	}
	if h.open > 0 {
		return nil
	}
	return t.decideLocked(id, h)
}

func (t *tail) decideLocked(id apitrace.TraceID, h *held) []*light {
	delete(t.traces, id)
	t.spans -= len(h.spans)
	if !h.keep {
		return nil
	}
	return h.spans
}

// marks reads what Forget and Keep left on a span.
func marks(attributes []attribute.KeyValue) (isForgotten, keep bool) {
	for i := range attributes {
		switch attributes[i].Key {
		case forgotten:
			isForgotten = true
		case Kept:
			keep = true
		}
	}
	return isForgotten, keep
}

// undecided are the traces whose last span has not ended; what says Kept of
// them goes out.
func (t *tail) undecided() (spans []*light) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, h := range t.traces {
		spans = append(spans, t.decideLocked(id, h)...)
	}
	return spans
}

func (t *tail) ForceFlush(ctx context.Context) error {
	return t.next.ForceFlush(ctx) //nolint:wrapcheck // a processor's error is passed on as it is
}

func (t *tail) Shutdown(ctx context.Context) error {
	for _, span := range t.undecided() {
		t.next.OnEnd(kept{of: span})
	}
	return t.next.Shutdown(ctx) //nolint:wrapcheck // as above
}
