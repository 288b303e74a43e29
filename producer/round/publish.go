package round

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// publish makes each job's record and hands the job to the stream, in this
// order: a record without a message is seen as outstanding and published
// again, a message without a record would be nobody's.
func (r *Runner) publish(ctx context.Context, jobs []job.Job) error {
	for _, j := range jobs {
		if err := r.publishOne(ctx, j); err != nil {
			return fmt.Errorf("publishing the job of miner %d: %w", j.UID, err)
		}
	}
	return nil
}

// publishOne gives the job a trace of its own, linked to the round's, so that
// a round of 256 miners is 256 readable traces and not one.
func (r *Runner) publishOne(ctx context.Context, j job.Job) error {
	round := trace.LinkFromContext(ctx)
	ctx, span := otel.Tracer(telemetry.Scope).Start(ctx, "job", trace.WithNewRoot(), trace.WithLinks(round),
		trace.WithAttributes(telemetry.RoundID.String(j.Round), telemetry.MinerUID.Int(j.UID), telemetry.GitHubID.String(j.GitHubID)))
	defer span.End()
	record := job.Plan(j.Round, j.UID, telemetry.TraceID(ctx))
	created, err := r.cfg.Bus.PlanRecord(ctx, record)
	if err != nil {
		return err
	}
	if !created { // a resumed round: an ended job needs no message
		known, _, err := r.cfg.Bus.Record(ctx, j.Round, j.UID)
		if err != nil {
			return err
		}
		if known.Phase.Ended() {
			return nil
		}
	}
	return r.cfg.Bus.PublishJob(ctx, j)
}
