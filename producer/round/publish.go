package round

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// publish makes each job's record and hands the job to the stream, in this
// order: a record without a message is seen as outstanding and published
// again, a message without a record would be nobody's.
func (r *Runner) publish(ctx context.Context, jobs []job.Job, since time.Time) error {
	telemetry.RoundIs(ctx, telemetry.RoundPublishing)
	for _, j := range jobs {
		if err := r.publishOne(ctx, j, since); err != nil {
			return fmt.Errorf("publishing the job of miner %d: %w", j.UID, err)
		}
	}
	telemetry.RoundIs(ctx, telemetry.RoundCollecting)
	return nil
}

// publishOne gives the job a trace of its own, linked to the round's, so that
// a round of 256 miners is 256 readable traces and not one. A job that another
// producer planned keeps its trace.
func (r *Runner) publishOne(ctx context.Context, j job.Job, since time.Time) error {
	tracing, root := r.roots.begin(ctx, j)
	created, err := r.cfg.Bus.PlanRecord(tracing, job.Plan(j.Round, j.UID, telemetry.TraceID(tracing)))
	if err != nil || !created {
		telemetry.Forget(root)
	}
	if err != nil {
		return err
	}
	if created {
		r.roots.follow(ctx, j, root)
		return r.cfg.Bus.PublishJob(tracing, j)
	}
	known, _, err := r.cfg.Bus.Record(ctx, j.Round, j.UID)
	if err != nil || known.Phase.Ended() { // an ended job needs no message
		return err
	}
	return r.cfg.Bus.PublishJob(r.roots.resume(ctx, j, known, since), j)
}
