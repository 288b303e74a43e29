package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/telemetry"
)

func names(r *receiver) []string {
	spans, _ := r.spans()
	list := []string{}
	for name := range spans {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// start opens a span and ends what is below it.
func start(ctx context.Context, name string, below ...string) (context.Context, trace.Span) {
	ctx, span := otel.Tracer(telemetry.Scope).Start(ctx, name)
	for _, b := range below {
		_, s := otel.Tracer(telemetry.Scope).Start(ctx, b)
		s.End()
	}
	return ctx, span
}

// With a ratio of 0 a trace is exported only if one of its spans says that it
// is to be kept, and then whole; what was forgotten never is.
func TestWhatHappenedKeepsATrace(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"ratio 0": {map[string]string{"OTEL_TRACES_SAMPLER_ARG": "0"}, []string{"failed", "failed below", "late", "late below", "round", "round below"}},
		"ratio 0, whatever the parent": {
			map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
			[]string{"failed", "failed below", "late", "late below", "round", "round below"},
		},
		"ratio 1": {nil, []string{"failed", "failed below", "good", "good below", "late", "late below", "round", "round below"}},
		"off":     {map[string]string{"OTEL_TRACES_SAMPLER": "always_off"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			receiver, url := serveHTTP(t)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
			shutdown := set(t, c.env)
			_, good := start(t.Context(), "good", "good below")
			good.End()
			ctx, failed := start(t.Context(), "failed", "failed below")
			trace.SpanFromContext(ctx).SetAttributes(telemetry.Kept.String(telemetry.KeepFailed))
			failed.End()
			// The reason may come last, from another span of the trace.
			ctx, late := start(t.Context(), "late", "late below")
			telemetry.EndJob(late, telemetry.OutcomeDegraded, "", telemetry.KeepDegraded)
			_, gone := start(t.Context(), "forgotten")
			telemetry.Forget(gone)
			inRound, round := telemetry.StartRound(t.Context(), "r1", "")
			_, below := start(inRound, "round below")
			below.End()
			round.End()
			if err := shutdown(context.WithoutCancel(ctx)); err != nil {
				t.Fatal(err)
			}
			if got := names(receiver); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A trace that is kept at its end goes out as a whole, as far as the bounds allow,
// and always with its root, which is the last of them.
//
//nolint:paralleltest // provider and environment are the process's
func TestALargeTraceIsKeptWhole(t *testing.T) {
	receiver, busy := &receiver{}, make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-busy // with nothing sent meanwhile, all of it has to wait
		receiver.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	shutdown := set(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_TRACES_SAMPLER_ARG": "0"})
	const bound = 4096
	ctx, root := telemetry.StartJob(t.Context(), telemetry.Job{Round: "r1", UID: 1}, "", time.Time{})
	for range bound + 1 {
		_, span := start(ctx, "below")
		span.End()
	}
	telemetry.EndJob(root, telemetry.OutcomeFailed, "refused", telemetry.KeepFailed)
	close(busy)
	if err := shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, resource := range receiver.got {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				got[span.GetName()]++
			}
		}
	}
	if got["below"] != bound || got[telemetry.SpanJob] != 1 {
		t.Errorf("got %v, want %d below, and their root", got, bound)
	}
}

// A trace that is not sampled is not sampled anywhere: the flag goes with the
// message, and another process keeps its part only for a reason of its own.
func TestTheDecisionGoesWithTheTrace(t *testing.T) {
	_, url := serveHTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	shutdown := set(t, map[string]string{"OTEL_TRACES_SAMPLER_ARG": "0.5"})
	defer func() { _ = shutdown(context.WithoutCancel(t.Context())) }()
	sampled := 0
	for range 400 {
		ctx, root := telemetry.StartJob(t.Context(), telemetry.Job{Round: "r1", UID: 1}, "", time.Time{})
		_, again := telemetry.StartJob(t.Context(), telemetry.Job{Round: "r1", UID: 1}, telemetry.TraceID(ctx), time.Time{})
		if root.SpanContext().IsSampled() {
			sampled++
		}
		if a, b := root.SpanContext(), again.SpanContext(); a.TraceID() != b.TraceID() || a.SpanID() != b.SpanID() || a.IsSampled() != b.IsSampled() {
			t.Fatalf("gone on with, the root is %v, want %v", b, a)
		}
		telemetry.Forget(again)
		root.End()
	}
	if sampled < 120 || sampled > 280 { // 10 and 90 % would be 8 standard deviations away
		t.Errorf("%d of 400 traces are sampled, want about half", sampled)
	}
}

// A replay's trace leads to the root of what it replays, and is kept; a round
// that is gone on with stays in its trace, below its first root.
func TestLinksNeedOnlyTheTracesID(t *testing.T) {
	receiver, url := serveHTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	shutdown := set(t, map[string]string{"OTEL_TRACES_SAMPLER_ARG": "0"})
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
	if err := shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	spans, _ := receiver.spans()
	got := spans[telemetry.SpanJob]
	if got == nil || len(got.GetLinks()) != 1 {
		t.Fatalf("the replay's root is %v, want it kept, with one link", got)
	}
	want := root.SpanContext()
	if link := got.GetLinks()[0]; trace.TraceID(link.GetTraceId()) != want.TraceID() || trace.SpanID(link.GetSpanId()) != want.SpanID() {
		t.Errorf("the replay leads to %x %x, want %v", link.GetTraceId(), link.GetSpanId(), want)
	}
}

// A collector that takes nothing costs spans, which are counted, and one line
// in the log, which does not repeat the secrets that it echoes.
//
//nolint:paralleltest // provider and environment are the process's
func TestDropsAreCountedAndEchoesScrubbed(t *testing.T) {
	const secret = "s3cret-of-the-collector"
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Error(w, "you sent "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": server.URL, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20" + secret,
		"OTEL_TRACES_SAMPLER_ARG": "1", "OTEL_BSP_MAX_QUEUE_SIZE": "32", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
	} {
		t.Setenv(name, value)
	}
	shutdown, page, log := watched(t)
	const spans = 500
	for i := range spans {
		_, span := start(t.Context(), fmt.Sprint("span ", i%3))
		span.End()
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	dropped := func() (sum int) {
		for line := range strings.SplitSeq(page(), "\n") {
			if n := 0; strings.HasPrefix(line, "mirrorfleet_telemetry_spans_dropped_total{") {
				_, number, _ := strings.Cut(line, "} ")
				_, _ = fmt.Sscan(number, &n)
				sum += n
			}
		}
		return sum
	}
	for dropped() < spans { // the exporter works in the background
		select {
		case <-ticker.C:
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d spans are counted as dropped\n%s", dropped(), spans, page())
		}
	}
	if err := shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Logf("shutdown: %v", err)
	}
	if asked.Load() == 0 {
		t.Error("the collector was never asked")
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || strings.Contains(text, secret) {
		t.Errorf("want one line in the log, without the secret:\n%s", text)
	}
}

func TestScrub(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"bad credentials ghp_abcdefghijklmnop0123": "bad credentials [secret]",
		"github_pat_11ABCDEFG0_abcdefghijkl!":      "[secret]!",
		"Authorization: Bearer abcdef.ghijkl-mnop": "Authorization: [secret]",
		"token scoring of a pull request":          "token scoring of a pull request",
		"ghp_ is a prefix":                         "ghp_ is a prefix",
	} {
		if got := telemetry.Scrub(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
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
	if err := shutdown(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
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
	for _, want := range []string{`"round":"r1"`, `"attempt":2`, `"uid":58`, `"repository":"a/b"`, `"trace_id":`} {
		if strings.Count(out.String(), want) != 1 || strings.Contains(out.String(), `"uid":57`) {
			t.Errorf("the line has not %s once:\n%s", want, out.String())
		}
	}
}
