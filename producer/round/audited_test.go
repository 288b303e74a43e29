package round_test

import (
	"context"
	"errors"
	"testing"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// Discrepancies in mid-round show in the metrics, which the alert reads, and the parts
// of the metrics always add up. Passing discrepancies are gone when the round has ended.
// All are gone when another producer resumes the round.
//
//nolint:paralleltest // the meter provider is the process's
func TestWhatDoesNotFitShowsInTheMetrics(t *testing.T) {
	reader := telemetrytest.Meter(t)
	b := setup(t, jobstream.Config{})
	discrepancies := func() int64 { return telemetrytest.Points(t, reader, telemetry.MetricAuditDiscrepancies, "")[""] }
	//nolint:paralleltest // as above
	for name, ends := range map[string]bool{"concluded": true, "left to another": false} {
		t.Run(name, func(t *testing.T) {
			m := b.plan(t, four()...)
			m.Round = map[bool]string{true: "r1", false: "r2"}[ends]
			ctx, leave := context.WithCancel(deadline(t))
			defer leave()
			b.work(t, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
				if j.UID != 1 {
					return evaluated(j, 1), nil
				}
				if _, err := b.bus.Records.Plan(ctx, job.Plan(m.Round, 99, "")); err != nil { // as by somebody's mistake
					return job.Evaluation{}, err
				}
				if err := again(ctx, func() error {
					if discrepancies() != 1 {
						return jobstream.ErrNotFound
					}
					return nil
				}); err != nil {
					return job.Evaluation{}, err
				}
				if !ends {
					leave()
				}
				b.deleteRecord(t, m, 99) //nolint:contextcheck // the test's own
				return evaluated(j, 1), nil
			})
			_, err := b.runner(t).Start(ctx, m)
			if ends != (err == nil) || !ends && !errors.Is(err, context.Canceled) {
				t.Fatalf("the round ended with %v, want it concluded: %t", err, ends)
			}
			if n := discrepancies(); n != 0 {
				t.Errorf("%d discrepancies are told after the round, want none", n)
			}
			want := map[bool]int64{true: 2}[ends]
			if sides := telemetrytest.Points(t, reader, telemetry.MetricAuditJobs, telemetry.AuditSide); sides["planned"] != want || sides["done"] != want || sides["outstanding"] != 0 {
				t.Errorf("the sides are %v after the round, want %d planned and done", sides, want)
			}
		})
	}
}
