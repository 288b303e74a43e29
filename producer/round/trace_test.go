package round_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/lease"
)

// traced sets the process up as main does, with a collector that throws all
// away, and records the spans beside it. Such tests cannot be parallel: provider
// and environment are the process's.
func traced(t *testing.T) *tracetest.SpanRecorder {
	t.Helper()
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL)
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "1")
	before := otel.GetTracerProvider()
	shutdown, err := telemetry.Setup(t.Context(), telemetry.Config{Service: "producer"})
	must(t, err)
	t.Cleanup(func() {
		must(t, shutdown(context.Background()))
		otel.SetTracerProvider(before)
	})
	recorder := tracetest.NewSpanRecorder()
	provider, ok := otel.GetTracerProvider().(*sdktrace.TracerProvider)
	if !ok {
		t.Fatalf("the provider is a %T, want the SDK's", otel.GetTracerProvider())
	}
	provider.RegisterSpanProcessor(recorder)
	return recorder
}

// again waits for a record, or for a message, to be there again.
func again(ctx context.Context, there func() error) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if err := there(); !errors.Is(err, jobstream.ErrNotFound) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Whatever the reconciler mends of a job stays in the job's own trace: a record
// that it plans names the trace of the message, a message that it queues is in
// the trace of the record; and the trace's root tells the end.
func TestAMendedJobStaysInItsTrace(t *testing.T) { //nolint:paralleltest // see traced
	spans := traced(t)
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	var before, replanned, requeued string
	b.work(t, func(ctx context.Context, j job.Job, _ lease.Attempt) (job.Evaluation, error) {
		if j.UID != 1 { // the second one, after this
			return evaluated(j, 1), nil
		}
		record, _, err := b.bus.Record(ctx, m.Round, 2)
		if err != nil {
			return job.Evaluation{}, err
		}
		before = record.Trace
		b.deleteRecord(t, m, 2) //nolint:contextcheck // the test's own
		err = again(ctx, func() (err error) {
			record, _, err = b.bus.Record(ctx, m.Round, 2)
			return err
		})
		if err != nil {
			return job.Evaluation{}, err
		}
		replanned = record.Trace
		b.deleteMessage(t, m, 2) //nolint:contextcheck // the test's own
		err = again(ctx, func() (err error) {
			queued, err := b.bus.Queued(ctx, m.Round)
			if err == nil && queued[2] == 0 {
				err = jobstream.ErrNotFound
			}
			return err
		})
		if err != nil {
			return job.Evaluation{}, err
		}
		requeued, err = b.bus.QueuedTrace(ctx, m.Round, 2)
		return evaluated(j, 1), err
	}, func(c *lease.Config) { c.Slots = 1 })
	got, err := b.runner(t).Start(deadline(t), m)
	must(t, err)
	if !got.Complete || len(got.Mended) != 2 {
		t.Errorf("complete %v, mended %v; want miner 2's record and message", got.Complete, got.Mended)
	}
	if before == "" || replanned != before || requeued != before {
		t.Errorf("miner 2's trace is %q, its new record's %q, its new message's %q; want one", before, replanned, requeued)
	}
	names := map[string]int{}
	for _, span := range spans.Ended() {
		if span.SpanContext().TraceID().String() == before {
			names[span.Name()]++
		}
	}
	for _, name := range []string{telemetry.SpanJob, telemetry.SpanProcess, telemetry.SpanCommit, telemetry.SpanSettle} {
		if names[name] != 1 {
			t.Errorf("miner 2's trace has %v, want one %q", names, name)
		}
	}
}
