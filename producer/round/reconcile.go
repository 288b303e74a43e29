package round

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// Mended is one thing that the reconciler put right.
type Mended struct {
	UID  int    `json:"uid"`
	What string `json:"what"`
}

// repair is what a job needs.
type repair struct {
	job job.Job
	// record is the job's, where there is one.
	record job.Record
	// kind is what is wrong.
	kind repairKind
}

// repairKind is what can be wrong with a job between its record and its
// message, by the names that the log and the outcome have for it.
type repairKind string

const (
	lostMessage repairKind = "record without message: published again"
	lostRecord  repairKind = "message without record: record planned"
	lostBoth    repairKind = "neither record nor message: published"
)

// repairs compares what is queued with what the records say. Messages must have
// been read before the records: a message goes only after its job has ended,
// so one that was not there belongs to no job that is outstanding afterwards.
func repairs(jobs []job.Job, queued map[int]int, records map[int]job.Record) []repair {
	var list []repair
	for _, j := range jobs {
		record, there := records[j.UID]
		switch {
		case !there && queued[j.UID] == 0, there && record.Replay < j.Replay:
			list = append(list, repair{j, record, lostBoth})
		case !there:
			list = append(list, repair{j, record, lostRecord})
		case !record.Phase.Ended() && queued[j.UID] == 0:
			j.Replay = record.Replay
			list = append(list, repair{j, record, lostMessage})
		}
	}
	return list
}

// keepWhole restores planned = done + failed + outstanding, now and from time
// to time, until ctx ends. What it cannot do now it does the next time: the
// round goes on meanwhile.
func (r *Runner) keepWhole(ctx context.Context, round string, jobs []job.Job) []Mended {
	ticker := time.NewTicker(r.cfg.Reconcile)
	defer ticker.Stop()
	var all []Mended
	for {
		mended, err := r.reconcile(ctx, round, jobs)
		all = append(all, mended...)
		if err != nil && ctx.Err() == nil {
			r.cfg.Log.ErrorContext(ctx, "the round could not be compared with its queue", "round", round, "error", err)
		}
		r.audit(ctx, round)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return all
		}
	}
}

// audit tells the metrics what an audit of the round counts.
func (r *Runner) audit(ctx context.Context, round string) {
	held, err := r.cfg.Bus.Held(ctx, round)
	if err != nil {
		r.cfg.Log.DebugContext(ctx, "the round could not be audited", "round", round, "error", err)
		return
	}
	a := AuditOf(held)
	telemetry.Audited(ctx, telemetry.Audit{
		Planned: a.Planned, Done: a.Done, Failed: a.Failed, Outstanding: a.Outstanding, Discrepancies: a.harmful(),
	})
}

// reconcile is one comparison: three lists whatever the round's size, and a
// few operations for each thing that is wrong.
func (r *Runner) reconcile(ctx context.Context, round string, jobs []job.Job) ([]Mended, error) {
	queued, err := r.cfg.Bus.Queued(ctx, round)
	if err != nil {
		return nil, err
	}
	records, err := r.records(ctx, round)
	if err != nil {
		return nil, err
	}
	var all []Mended
	done := func(uid int, what string) { all = append(all, r.tell(ctx, round, uid, what)) }
	for _, repair := range repairs(jobs, queued, records) {
		did, err := r.mend(ctx, repair)
		if err != nil {
			return all, fmt.Errorf("mending the job of miner %d: %w", repair.job.UID, err)
		}
		if did {
			crash.At(crash.Mended)
			done(repair.job.UID, string(repair.kind))
		}
	}
	stuck, err := r.cfg.Bus.Stuck(ctx, round)
	if err != nil {
		return all, err
	}
	for _, s := range stuck {
		what, err := r.free(ctx, s)
		if err != nil {
			return all, fmt.Errorf("freeing the job of miner %d: %w", s.UID, err)
		}
		crash.At(crash.Freed)
		done(s.UID, what)
	}
	return all, nil
}

// finish bounds what is left of a thing that was begun: the end of a job may be
// what the round waited for, and ends the context.
const finish = 5 * time.Second

// mend puts one job right; false if it was right after all.
func (r *Runner) mend(ctx context.Context, what repair) (bool, error) {
	switch what.kind {
	case lostBoth:
		return true, r.publishOne(ctx, what.job)
	case lostMessage:
		return r.cfg.Bus.Requeue(r.roots.goingOn(ctx, what.job, what.record), what.job)
	case lostRecord:
		return r.planAgain(ctx, what.job)
	}
	return false, nil
}

// planAgain makes the record of a job that is queued, in the trace that its
// message has: there its deliveries are.
func (r *Runner) planAgain(ctx context.Context, j job.Job) (bool, error) {
	id, err := r.cfg.Bus.QueuedTrace(ctx, j.Round, j.UID)
	if err != nil {
		return false, err
	}
	record := job.Plan(j.Round, j.UID, id)
	record.Replay = j.Replay
	created, err := r.cfg.Bus.PlanRecord(ctx, record)
	if created {
		r.roots.goingOn(ctx, j, record)
	}
	return created, err
}

// free deals with a message that nobody will be given any more.
func (r *Runner) free(ctx context.Context, s jobstream.Stuck) (string, error) {
	if ctx.Err() != nil {
		return "", ctx.Err() //nolint:wrapcheck // the caller's own
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finish)
	defer cancel()
	record, _, err := r.cfg.Bus.Record(ctx, s.Round, s.UID)
	if err != nil {
		return "", err
	}
	switch {
	case record.Phase.Ended() || s.Replay >= 0 && s.Replay < record.Replay:
		return "message of an ended job: removed", r.cfg.Bus.Discard(ctx, s)
	case usedUp(record, s):
		err := r.exhausted(ctx, jobstream.Exhausted{
			Round: s.Round, UID: s.UID, Replay: s.Replay, Sequence: s.Sequence, Deliveries: record.Claim.Delivery,
		})
		if err != nil {
			return "", err
		}
		return "deliveries used up, and nobody said so: buried", r.cfg.Bus.Discard(ctx, s)
	}
	return "message passed over: published again", r.cfg.Bus.Unstick(ctx, s)
}

// usedUp says whether the last delivery of a stuck message was claimed: then
// its deliveries are used up, whatever the server has said of it.
func usedUp(r job.Record, s jobstream.Stuck) bool {
	return r.Claim != nil && r.Claim.Sequence == s.Sequence && s.Most > 0 && r.Claim.Delivery >= uint64(s.Most)
}
