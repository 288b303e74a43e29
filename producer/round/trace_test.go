package round_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/lease"
)

// traced sets the process up as main does, with a collector. The function that it returns
// ends this, and counts a trace's spans by name. Provider and environment belong to the
// process, so such tests cannot be parallel.
func traced(t *testing.T) (spans func(id string) map[string]int) {
	t.Helper()
	got := map[string]map[string]int{}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { // one request at a time
		var request collectorv1.ExportTraceServiceRequest
		if data, err := io.ReadAll(r.Body); err != nil || proto.Unmarshal(data, &request) != nil {
			t.Errorf("the collector was sent what it cannot read: %v", err)
		}
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					id := hex.EncodeToString(span.GetTraceId())
					if got[id] == nil {
						got[id] = map[string]int{}
					}
					got[id][span.GetName()]++
				}
			}
		}
	}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL)
	before := otel.GetTracerProvider()
	shutdown, err := telemetry.Setup(t.Context(), telemetry.Config{Service: "producer"})
	must.Do(t, err)
	t.Cleanup(func() {
		must.Do(t, shutdown(context.Background()))
		otel.SetTracerProvider(before)
	})
	return func(id string) map[string]int {
		must.Do(t, shutdown(context.Background()))
		return got[id]
	}
}

// again waits until a record, or a message, is there again.
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

// Every repair of the reconciler stays in the job's own trace. A record that it plans has
// the trace of the message, and a message that it queues has the trace of the record. The
// trace's root tells the end.
func TestAMendedJobStaysInItsTrace(t *testing.T) { //nolint:paralleltest // see traced
	spans := traced(t)
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	var before, replanned, requeued string
	b.work(t, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if j.UID != 1 { // the second one, after this
			return evaluated(j, 1), nil
		}
		record, _, err := b.bus.Records.Load(ctx, m.Round, 2)
		if err != nil {
			return job.Evaluation{}, err
		}
		before = record.Trace
		b.deleteRecord(t, m, 2) //nolint:contextcheck // the test's own
		err = again(ctx, func() (err error) {
			record, _, err = b.bus.Records.Load(ctx, m.Round, 2)
			return err
		})
		if err != nil {
			return job.Evaluation{}, err
		}
		replanned = record.Trace
		b.deleteMessage(t, m, 2) //nolint:contextcheck // the test's own
		err = again(ctx, func() (err error) {
			queued, err := b.bus.Queue.Messages(ctx, m.Round)
			if err == nil && queued[2] == 0 {
				err = jobstream.ErrNotFound
			}
			return err
		})
		if err != nil {
			return job.Evaluation{}, err
		}
		requeued, err = b.bus.Queue.Trace(ctx, m.Round, 2)
		return evaluated(j, 1), err
	}, func(c *lease.Config) { c.Slots = 1 })
	got, err := b.runner(t).Start(deadline(t), m)
	must.Do(t, err)
	if !got.Complete || len(got.Mended) != 2 {
		t.Errorf("complete %v, mended %v; want miner 2's record and message", got.Complete, got.Mended)
	}
	if before == "" || replanned != before || requeued != before {
		t.Errorf("miner 2's trace is %q, its new record's %q, its new message's %q; want one", before, replanned, requeued)
	}
	names := spans(before)
	if names[telemetry.SpanJob] != 1 { // the worker's own spans may end later
		t.Errorf("miner 2's trace has %v, want one root that has ended", names)
	}
}
