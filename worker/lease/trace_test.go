package lease_test

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	apitrace "go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/lease"
)

// record spans of this process; the provider is global, so tests that use it
// are not parallel.
func spans(t *testing.T) *tracetest.SpanRecorder {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(telemetry.Identify()), trace.WithSpanProcessor(recorder))
	former := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Cleanup(func() {
		otel.SetTracerProvider(former)
		provider.Shutdown(context.Background())
	})
	return recorder
}

func named(recorder *tracetest.SpanRecorder, name string) []trace.ReadOnlySpan {
	return slices.DeleteFunc(recorder.Ended(), func(s trace.ReadOnlySpan) bool { return s.Name() != name })
}

func value(s trace.ReadOnlySpan, key attribute.Key) string {
	for _, a := range s.Attributes() {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// TestOneTracePerJob: publishing and every attempt are in one trace, found by
// round, uid and GitHub id; a failed attempt is an error there, and what the
// handler does is under its attempt.
func TestOneTracePerJob(t *testing.T) { //nolint:paralleltest // the provider is global
	recorder := spans(t)
	b := setup(t, never)
	b.plan(1)
	w := b.run(lease.Config{Handler: func(ctx context.Context, _ job.Job, a job.Attempt) (job.Evaluation, error) {
		_, span := otel.Tracer("test").Start(ctx, "inside")
		span.End()
		if a.Failures == 0 {
			return job.Evaluation{}, errMirror
		}
		return job.Evaluation{}, nil
	}})
	b.awaitPhase(1, job.Done)
	b.awaitMessages(0)
	b.finish(w)

	publish, process := named(recorder, telemetry.SpanPublish), named(recorder, telemetry.SpanProcess)
	if len(publish) != 1 || len(process) != 2 {
		t.Fatalf("%d publish and %d process spans, want 1 and 2", len(publish), len(process))
	}
	if publish[0].SpanKind() != apitrace.SpanKindProducer || process[0].SpanKind() != apitrace.SpanKindConsumer {
		t.Errorf("kinds are %s and %s, want producer and consumer", publish[0].SpanKind(), process[0].SpanKind())
	}
	for i, s := range process {
		if s.SpanContext().TraceID() != publish[0].SpanContext().TraceID() || s.Parent().SpanID() != publish[0].SpanContext().SpanID() {
			t.Errorf("attempt %d is not under the publisher's span", i+1)
		}
		for key, want := range map[attribute.Key]string{
			telemetry.RoundID: "r1", telemetry.MinerUID: "1", telemetry.GitHubID: "42",
			telemetry.Delivery: []string{"1", "2"}[i], telemetry.Failures: []string{"0", "1"}[i],
			telemetry.FailClass: []string{"transient", ""}[i],
			telemetry.Outcome:   []string{"retry", "done"}[i],
			"messaging.system":  "nats", "messaging.operation.type": "process", "messaging.destination.name": "miner.job.r1.1",
		} {
			if got := value(s, key); got != want {
				t.Errorf("attempt %d: %s is %q, want %q", i+1, key, got, want)
			}
		}
		if want := []codes.Code{codes.Error, codes.Unset}[i]; s.Status().Code != want {
			t.Errorf("attempt %d: status %s, want %s", i+1, s.Status().Code, want)
		}
		if inside := named(recorder, "inside")[i]; inside.Parent().SpanID() != s.SpanContext().SpanID() {
			t.Errorf("attempt %d: what the handler did is not under it", i+1)
		}
	}
	if commits, settles := named(recorder, telemetry.SpanCommit), named(recorder, telemetry.SpanSettle); len(commits) != 1 || len(settles) != 2 {
		t.Errorf("%d commits and %d settlements, want 1 and 2", len(commits), len(settles))
	}
}

// TestLostFencesAreNoErrors of the trace: the job's work stands elsewhere.
func TestLostFencesAreNoErrors(t *testing.T) { //nolint:paralleltest // the provider is global
	recorder := spans(t)
	b := setup(t, never)
	b.plan(1, 2)
	started := make(chan int, 2)
	w := b.run(lease.Config{Handler: func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if j.UID == 1 { // loses its record
			b.steal(1)
			started <- j.UID
			return job.Evaluation{}, nil
		}
		started <- j.UID
		<-ctx.Done() // is drained
		return job.Evaluation{}, context.Cause(ctx)
	}})
	receive(b, started, "a start")
	receive(b, started, "a second start")
	b.awaitLog("not committed")
	w.drain()
	w.StopNow()
	b.must(receive(b, w.done, "the drain's end"))
	if n := len(named(recorder, telemetry.SpanProcess)); n != 2 {
		t.Fatalf("%d process spans, want 2", n)
	}
	for _, s := range recorder.Ended() {
		if s.Status().Code == codes.Error {
			t.Errorf("span %s is an error: %s", s.Name(), s.Status().Description)
		}
	}
}
