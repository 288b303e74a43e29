package telemetry

import (
	"context"
	"slices"
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

// recordAll lets every span be recorded, so that a trace can be kept at its
// end. What the head decides stays on the span, goes with the job to other
// processes, and is what exemplars look at: such a trace is surely exported.
type recordAll struct{ head trace.Sampler }

func (r recordAll) ShouldSample(p trace.SamplingParameters) trace.SamplingResult {
	result := r.head.ShouldSample(p)
	if p.Name == SpanRound {
		result.Decision = trace.RecordAndSample
	}
	if result.Decision == trace.Drop {
		result.Decision = trace.RecordOnly
	}
	return result
}

func (r recordAll) Description() string { return "RecordAll{" + r.head.Description() + "}" }

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
	spans []sampled
	// with is what identifies each open span: it is written on those that are
	// kept alone, for writing it costs a good part of what a span does.
	with map[apitrace.SpanID][]attribute.KeyValue
}

func newTail(next trace.SpanProcessor, drop func(n int, why string)) *tail {
	return &tail{next: next, drop: drop, traces: map[apitrace.TraceID]*held{}}
}

func (t *tail) OnStart(parent context.Context, s trace.ReadWriteSpan) {
	t.next.OnStart(parent, s)
	if s.SpanContext().IsSampled() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	id := s.SpanContext().TraceID()
	h := t.traces[id]
	if h == nil {
		h = &held{with: map[apitrace.SpanID][]attribute.KeyValue{}}
		t.traces[id] = h
	}
	h.open++
	if known := with(parent); len(known) > 0 {
		h.with[s.SpanContext().SpanID()] = known
	}
}

func (t *tail) OnEnd(s trace.ReadOnlySpan) {
	forgotten, keep := marks(s)
	if s.SpanContext().IsSampled() {
		if !forgotten {
			t.next.OnEnd(s)
		}
		return
	}
	for _, kept := range t.ended(s, forgotten, keep) {
		t.next.OnEnd(kept)
	}
}

// ended notes a span's end and returns what is to be exported now.
func (t *tail) ended(s trace.ReadOnlySpan, forgotten, keep bool) []sampled {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := s.SpanContext().TraceID()
	h := t.traces[id]
	if h == nil { // started before this processor was there
		return nil
	}
	h.open--
	span := s.SpanContext().SpanID()
	known := h.with[span]
	delete(h.with, span)
	h.keep = h.keep || keep
	switch {
	case forgotten:
	case len(h.spans) >= mostOfTrace || t.spans >= mostHeld:
		t.drop(1, DropTail)
	default:
		h.spans = append(h.spans, sampled{s, known})
		t.spans++
	}
	if h.open > 0 {
		return nil
	}
	return t.decideLocked(id, h)
}

func (t *tail) decideLocked(id apitrace.TraceID, h *held) []sampled {
	delete(t.traces, id)
	t.spans -= len(h.spans)
	if !h.keep {
		return nil
	}
	return h.spans
}

// marks reads what Forget and Keep left on a span.
func marks(s trace.ReadOnlySpan) (isForgotten, keep bool) {
	for _, a := range s.Attributes() {
		switch a.Key {
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
func (t *tail) undecided() (kept []sampled) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, h := range t.traces {
		kept = append(kept, t.decideLocked(id, h)...)
	}
	return kept
}

func (t *tail) ForceFlush(ctx context.Context) error {
	return t.next.ForceFlush(ctx) //nolint:wrapcheck // a processor's error is passed on as it is
}

func (t *tail) Shutdown(ctx context.Context) error {
	for _, kept := range t.undecided() {
		t.next.OnEnd(kept)
	}
	return t.next.Shutdown(ctx) //nolint:wrapcheck // as above
}

// sampled is a span that was not sampled at its start and is kept.
type sampled struct {
	trace.ReadOnlySpan

	with []attribute.KeyValue
}

// Attributes are the span's own, before what identifies it.
func (s sampled) Attributes() []attribute.KeyValue {
	return slices.Concat(s.ReadOnlySpan.Attributes(), s.with)
}

func (s sampled) SpanContext() apitrace.SpanContext {
	c := s.ReadOnlySpan.SpanContext()
	return c.WithTraceFlags(c.TraceFlags().WithSampled(true))
}
