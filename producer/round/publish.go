package round

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// atOnce bounds how many evaluations are read, or records written, side by side: enough
// to hide the round trips to the server.
const atOnce = 32

// jobsOf returns the jobs that a round or a replay of it waits for: all jobs of the
// round. Those that are replayed carry the replay's number, which tells their records and
// messages from earlier ones.
func jobsOf(m job.Manifest, replay job.Replay) []job.Job {
	again := make(map[int]bool, len(replay.UIDs))
	for _, uid := range replay.UIDs {
		again[uid] = true
	}
	jobs := m.Jobs()
	for i := range jobs {
		if again[jobs[i].UID] {
			jobs[i].Replay = replay.Number
		}
	}
	return jobs
}

// publish writes each job's record and then publishes its message. The order matters for
// a crash in between: a record without a message counts as outstanding, and the reconciler
// publishes it; for a message without a record, no worker could claim anything. Jobs are
// queued in the plan's order. A job that has a record already, readable or not, is left to
// the reconciler.
func (r *Runner) publish(ctx context.Context, round string, jobs []job.Job) error {
	telemetry.RoundIs(ctx, telemetry.RoundPublishing)
	list, damage, err := r.cfg.Bus.Records.ListAll(ctx, round)
	if err != nil {
		return fmt.Errorf("reading the records of round %s: %w", round, err)
	}
	records, damaged := job.RecordsByUID(list), job.DamageByUID(damage)
	for _, j := range jobs {
		if _, unreadable := damaged[j.UID]; unreadable {
			continue
		}
		if known, there := records[j.UID]; there && known.Replay >= j.Replay {
			if !known.Phase.Ended() {
				r.roots.resume(ctx, j, known, time.Time{})
			}
			continue
		}
		if err := r.publishOne(ctx, j); err != nil {
			return fmt.Errorf("publishing the job of miner %d: %w", j.UID, err)
		}
	}
	telemetry.RoundIs(ctx, telemetry.RoundCollecting)
	return nil
}

// publishOne plans and publishes one job. The job gets a trace of its own, linked to the
// round's, so that a round of 256 miners is 256 readable traces and not a single one. The
// trace of a replayed job is also linked to that of the former attempt. A job that another
// producer has planned keeps its trace.
func (r *Runner) publishOne(ctx context.Context, j job.Job) error {
	tracing, root := r.roots.begin(ctx, j)
	planned, err := r.plan(tracing, j)
	switch {
	case err != nil || planned.Phase.Ended(): // the new root span never ends, so it is never exported
		return err
	case planned.Trace != telemetry.TraceID(tracing):
		tracing = r.roots.resume(ctx, j, planned, time.Time{})
	default:
		r.roots.follow(ctx, j, root)
	}
	crash.At(crash.RecordPlanned)
	if err := r.cfg.Bus.Queue.Publish(tracing, j); err != nil {
		return err
	}
	crash.At(crash.JobPublished)
	return nil
}

// plan creates the record of a job, or reopens the ended one of an earlier replay. It
// returns the record that is stored then, which may be one that another producer has
// written first.
func (r *Runner) plan(ctx context.Context, j job.Job) (job.Record, error) {
	record := job.Plan(j.Round, j.UID, telemetry.TraceID(ctx))
	record.Replay = j.Replay
	for {
		created, err := r.cfg.Bus.Records.Plan(ctx, record)
		if err != nil || created {
			return record, err
		}
		known, revision, err := r.cfg.Bus.Records.Load(ctx, j.Round, j.UID)
		opened := record // replaces a record that cannot be read
		if !jobstream.Damaged(err) {
			if err != nil || known.Replay >= j.Replay {
				return known, err
			}
			if opened, err = known.Replanned(j.Replay, telemetry.TraceID(ctx)); err != nil {
				return known, err
			}
		}
		_, err = r.cfg.Bus.Records.Update(ctx, opened, revision)
		if !errors.Is(err, jobstream.ErrConflict) {
			crash.At(crash.RecordReplanned)
			telemetry.LinkReplay(ctx, known.Trace)
			return opened, err
		}
	}
}
