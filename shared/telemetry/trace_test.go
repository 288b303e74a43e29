package telemetry_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry"
)

// start opens a span and ends what is below it.
func start(ctx context.Context, name string, below ...string) (context.Context, trace.Span) {
	ctx, span := otel.Tracer(telemetry.Scope).Start(ctx, name)
	for _, b := range below {
		_, s := otel.Tracer(telemetry.Scope).Start(ctx, b)
		s.End()
	}
	return ctx, span
}

// All traces are sampled unless OpenTelemetry's own setting says otherwise. What
// nobody ends is not seen.
func TestTheSamplerIsOpenTelemetrys(t *testing.T) {
	all := []string{"job", "job below", "round", "round below"}
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"by default": {nil, all},
		"a ratio of 1, by parent": {
			map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"}, all,
		},
		"a ratio of 0": {map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, nil},
		"off":          {map[string]string{"OTEL_TRACES_SAMPLER": "always_off"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			receiver, url := serveHTTP(t)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
			shutdown := set(t, c.env)
			ctx, job := telemetry.StartJob(t.Context(), telemetry.Job{Round: "r1", UID: 1}, "", time.Time{})
			_, _ = start(ctx, "never ended")
			_, below := start(ctx, "job below")
			below.End()
			telemetry.EndJob(job, telemetry.OutcomeDone, "")
			inRound, round := telemetry.StartRound(t.Context(), "r1", "")
			_, below = start(inRound, "round below")
			below.End()
			round.End()
			must.Do(t, shutdown(context.WithoutCancel(ctx)))
			spans, _ := receiver.spans()
			if got := slices.Sorted(maps.Keys(spans)); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Whoever goes on with a job's trace opens the same root, with the same
// decision, which goes with the message.
func TestTheDecisionGoesWithTheTrace(t *testing.T) {
	_, url := serveHTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	shutdown := set(t, map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"})
	defer func() { _ = shutdown(context.WithoutCancel(t.Context())) }()
	sampled := 0
	for range 400 {
		ctx, root := telemetry.StartJob(t.Context(), telemetry.Job{Round: "r1", UID: 1}, "", time.Time{})
		_, again := telemetry.StartJob(t.Context(), telemetry.Job{Round: "r1", UID: 1}, telemetry.TraceID(ctx), time.Time{})
		header := nats.Header{}
		telemetry.Inject(ctx, header)
		_, there := start(telemetry.Extract(context.Background(), header), "there")
		if root.SpanContext().IsSampled() {
			sampled++
		}
		if a, b := root.SpanContext(), again.SpanContext(); a.TraceID() != b.TraceID() || a.SpanID() != b.SpanID() || a.IsSampled() != b.IsSampled() {
			t.Fatalf("gone on with, the root is %v, want %v", b, a)
		}
		if a, b := root.SpanContext(), there.SpanContext(); a.TraceID() != b.TraceID() || a.IsSampled() != b.IsSampled() {
			t.Fatalf("where the message came the span is %v, want it as in %v", b, a)
		}
	}
	if sampled < 120 || sampled > 280 { // both are 8 standard deviations away
		t.Errorf("%d of 400 traces are sampled, want about half", sampled)
	}
}

// A replay's trace leads to the root of what it replays. A round that is gone on
// with stays in its trace, below its first root.
func TestLinksNeedOnlyTheTracesID(t *testing.T) {
	receiver, url := serveHTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	shutdown := set(t, nil)
	former, root := telemetry.StartJob(t.Context(), telemetry.Job{Round: "r1", UID: 1}, "", time.Time{})
	root.End()
	ctx, replay := telemetry.StartJob(t.Context(), telemetry.Job{Round: "r1", UID: 1, Replay: 1}, "", time.Time{})
	telemetry.LinkReplay(ctx, telemetry.TraceID(former))
	telemetry.LinkReplay(ctx, "not an id")
	replay.End()
	fresh, id := telemetry.NewRound(t.Context())
	_, first := telemetry.StartRound(fresh, "r1", id)
	resumed, second := telemetry.StartRound(t.Context(), "r1", id)
	if telemetry.TraceID(resumed) != id || first.SpanContext().TraceID().String() != id || first.SpanContext().SpanID() == second.SpanContext().SpanID() {
		t.Errorf("the round's trace is %s and then %s, want %s twice", first.SpanContext().TraceID(), telemetry.TraceID(resumed), id)
	}
	first.End()
	second.End()
	must.Do(t, shutdown(context.WithoutCancel(t.Context())))
	spans, _ := receiver.spans()
	got := spans[telemetry.SpanJob]
	if got == nil || len(got.GetLinks()) != 1 {
		t.Fatalf("the replay's root is %v, want one link", got)
	}
	want := root.SpanContext()
	if link := got.GetLinks()[0]; trace.TraceID(link.GetTraceId()) != want.TraceID() || trace.SpanID(link.GetSpanId()) != want.SpanID() {
		t.Errorf("the replay leads to %x %x, want %v", link.GetTraceId(), link.GetSpanId(), want)
	}
}

// What With says is on every span and in every line below, under the log's
// short names, and not twice.
func TestWithIdentifiesSpansAndLines(t *testing.T) {
	receiver, url := serveHTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	shutdown := set(t, nil)
	ctx := telemetry.With(t.Context(), telemetry.RoundID.String("r1"), telemetry.MinerUID.Int(57), telemetry.Delivery.Int(2))
	inner, span := start(telemetry.With(ctx, telemetry.Repository.String("a/b")), "outer", "inner")
	var out strings.Builder
	telemetry.Logger(&out, false, slog.LevelInfo).InfoContext(inner, "said", "uid", 58)
	span.End()
	must.Do(t, shutdown(context.WithoutCancel(ctx)))
	spans, _ := receiver.spans()
	for _, name := range []string{"outer", "inner"} {
		got := map[string]string{}
		for _, a := range spans[name].GetAttributes() {
			got[a.GetKey()] = a.GetValue().String()
		}
		if len(got) != 4 || !strings.Contains(got["miner.uid"], "57") || !strings.Contains(got["round.id"], "r1") {
			t.Errorf("%s has %v, want round, uid, delivery and repository", name, got)
		}
	}
	for _, want := range []string{`"round":"r1"`, `"delivery":2`, `"uid":58`, `"repository":"a/b"`, `"trace_id":`} {
		if strings.Count(out.String(), want) != 1 || strings.Contains(out.String(), `"uid":57`) {
			t.Errorf("the line has not %s once:\n%s", want, out.String())
		}
	}
}
