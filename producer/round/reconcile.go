package round

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// repair is one job's fault, and how to repair it.
type repair struct {
	job job.Job
	// record is the job's record if it can be read, or the end of the job that this
	// process has seen.
	record job.Record
	kind   repairKind
	// damage is set for a record that cannot be read; its Revision is what to overwrite.
	damage job.Damage
}

// repairKind is what can be wrong with a job or its round, and what was done about it. The
// texts are published: the log, the outcome and a metric's label have them.
type repairKind string

const (
	lostMessage    repairKind = "record without message: published again"
	lostRecord     repairKind = "message without record: record planned"
	lostBoth       repairKind = "neither record nor message: published"
	damagedRecord  repairKind = "record that cannot be read: replaced"
	lostEnd        repairKind = "record of an ended job gone, or an earlier one: put back"
	lostEvaluation repairKind = "evaluation gone or unreadable: job opened again"
	lostForGood    repairKind = "evaluation gone or unreadable when the round had to end: job dead as damaged"
	lostLetter     repairKind = "dead letter gone or unreadable: published again"

	lostManifest    repairKind = "manifest gone or unreadable: put back"
	lostSnapshot    repairKind = "stored evaluations that the round began with gone or unreadable: put back"
	lostMaintainers repairKind = "maintainers unreadable: asked for again"
	lostOutcome     repairKind = "outcome unreadable: concluded anew"
	lostStored      repairKind = "stored evaluations gone or unreadable: those of the last concluded round put back"
	lostEgresses    repairKind = "declared egresses gone or unreadable: declared again"
)

// repairs compares the stored data of a round with itself, and with the ends of jobs that
// this process has seen. It relies on the order in which jobstream.Bus.Inventory reads,
// messages before records: a message is removed only after its job has ended. So a job
// whose message was missing, and whose record is still outstanding afterwards, has lost its
// message. In the other order, a job that ends in between would look the same.
func (w *work) repairs(held job.Inventory) []repair {
	records, damaged := job.RecordsByUID(held.Records), job.DamageByUID(held.Damage)
	var list []repair
	for _, j := range w.jobs {
		record, there := records[j.UID]
		damage, unreadable := damaged[j.UID]
		end, seen := w.end(j.UID, j.Replay)
		switch {
		case unreadable:
			list = append(list, repair{j, end, damagedRecord, damage})
		case seen && (!there || !record.Phase.Ended() && record.Replay <= end.Replay):
			list = append(list, repair{j, end, lostEnd, damage})
		case !there && held.Messages[j.UID] == 0, there && record.Replay < j.Replay:
			list = append(list, repair{j, record, lostBoth, damage})
		case !there:
			list = append(list, repair{j, record, lostRecord, damage})
		case !record.Phase.Ended() && held.Messages[j.UID] == 0:
			j.Replay = record.Replay
			list = append(list, repair{j, record, lostMessage, damage})
		case record.Phase.Ended() && record.Stands() != "" && !slices.Contains(held.Evaluations, record.Stands()):
			list = append(list, repair{j, record, lostEvaluation, damage})
		case record.Phase == job.Failed && letterMissing(held, record):
			list = append(list, repair{j, record, lostLetter, damage})
		}
	}
	return list
}

// letterMissing reports whether a failed job lacks the dead letter of its replay, although
// the stream would still keep it (job.DeadKept).
func letterMissing(held job.Inventory, record job.Record) bool {
	if record.Failure == nil || held.At.Sub(record.Failure.At) > job.DeadKept {
		return false
	}
	return !slices.ContainsFunc(held.Letters, func(l job.DeadLetter) bool { return l.UID == record.UID && l.Replay == record.Replay })
}

// keepWhole restores planned = done + failed + outstanding, at once and then every
// Config.Reconcile, until ctx ends. An error is logged and not returned: the next
// comparison tries again, and the round continues in the meantime.
func (w *work) keepWhole(ctx context.Context) {
	ticker := time.NewTicker(w.cfg.Reconcile)
	defer ticker.Stop()
	for {
		before := len(w.m.past.mended)
		gone := w.cfg.Bus.Restore(ctx) // all streams and buckets, also those that no step of the round reads
		held, _, err := w.reconcile(ctx)
		w.list(ctx, held.Records)
		err = errors.Join(gone, err, w.unstick(ctx), w.liftLeft(ctx, time.Now()))
		if err != nil && ctx.Err() == nil {
			w.cfg.Log.ErrorContext(ctx, "could not compare the round with its queue", "round", w.m.Round, "error", err)
		}
		if err == nil && len(w.m.past.mended) == before {
			audited(ctx, held)
		} else {
			w.audit(ctx, w.m.Round)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// audit reads the round again and exports the counts of its audit as metrics. It follows a
// comparison that has repaired something, whose inventory is out of date.
func (r *Runner) audit(ctx context.Context, round string) {
	held, err := r.cfg.Bus.Inventory(ctx, round)
	if err != nil {
		r.cfg.Log.DebugContext(ctx, "could not audit the round", "round", round, "error", err)
		return
	}
	audited(ctx, held)
}

// audited exports the counts of an audit as metrics.
func audited(ctx context.Context, held job.Inventory) {
	a := audit.Of(held)
	telemetry.Audited(ctx, telemetry.Audit{
		Planned:       a.Planned,
		Done:          a.Done,
		Failed:        a.Failed,
		Outstanding:   a.Outstanding,
		Discrepancies: a.Harmful(),
	})
}

// reconcile compares once, and repairs every fault. It costs a few lists, whatever the
// round's size, and a few operations for each repair. It returns what was stored before,
// and the number of repairs. A job that cannot be repaired does not keep the others from
// being repaired.
func (w *work) reconcile(ctx context.Context) (held job.Inventory, did int, err error) {
	held, err = w.cfg.Bus.Inventory(ctx, w.m.Round)
	if err != nil && !errors.Is(err, jobstream.ErrNotFound) { // not found: everything is lost, and is restored
		return held, 0, err
	}
	before := len(w.m.past.mended)
	wrong := w.mendRound(ctx, held)
	for _, repair := range w.repairs(held) {
		if ctx.Err() != nil {
			break
		}
		did, err := w.mend(ctx, repair)
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("repairing the job of miner %d (%s): %w", repair.job.UID, repair.kind, err))
		}
		if did != "" {
			crash.At(crash.Mended)
			w.note(about(ctx, repair.record), repair.job.UID, did)
		}
	}
	return held, len(w.m.past.mended) - before, wrong
}

// mendRound restores what belongs to no job: the manifest and the declared egresses.
func (w *work) mendRound(ctx context.Context, held job.Inventory) error {
	ctx, cancel := finishing(ctx) // as for mend
	defer cancel()
	if held.Lost != "" || held.Manifest.Round == "" {
		restored, err := w.cfg.Bus.Rounds.RestoreManifest(ctx, w.m.stored)
		if err != nil {
			return fmt.Errorf("restoring the manifest: %w", err)
		}
		if restored {
			crash.At(crash.ManifestRestored)
			w.note(ctx, -1, lostManifest)
		}
	}
	restored, err := w.cfg.Bus.Egresses.Restore(ctx)
	if err != nil {
		return fmt.Errorf("declaring the egresses again: %w", err)
	}
	if restored {
		w.note(ctx, -1, lostEgresses)
	}
	return nil
}

// unstick deals with the messages that the server no longer hands to workers.
func (w *work) unstick(ctx context.Context) error {
	stuck, err := w.cfg.Bus.Queue.Stuck(ctx, w.m.Round)
	if err != nil {
		return err
	}
	var wrong error
	for _, s := range stuck {
		what, record, err := w.free(ctx, s)
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("freeing the job of miner %d: %w", s.UID, err))
			continue
		}
		crash.At(crash.Freed)
		w.note(about(ctx, record), s.UID, repairKind(what))
	}
	return wrong
}

// finish bounds the rest of a repair that was begun when its context ended. The context
// may end by the repair itself: if it ends the last job, the round has nothing more to wait
// for.
const finish = 5 * time.Second

// finishing is the context of what has begun: it does not end with ctx, and lasts at most finish.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), finish)
}

// mend repairs one job, and says what it has done; "" if nothing was wrong after all. Once
// it has begun, it does not stop when ctx ends, which the end of the last job does: a repair
// of which the answer was not awaited would be missing from the outcome's list.
func (w *work) mend(ctx context.Context, what repair) (repairKind, error) {
	ctx, cancel := finishing(ctx)
	defer cancel()
	if what.kind == lostEvaluation {
		return w.reopen(ctx, what.record)
	}
	did, err := false, error(nil)
	switch what.kind {
	case lostBoth:
		did, err = true, w.publishOne(ctx, what.job)
	case lostMessage:
		did, err = w.cfg.Bus.Queue.Requeue(w.roots.goingOn(ctx, what.job, what.record), what.job)
	case lostRecord:
		did, err = w.planAgain(ctx, what.job)
	case damagedRecord:
		did, err = w.replace(ctx, what)
	case lostEnd:
		did, err = w.putBack(ctx, what)
	case lostLetter:
		did, err = true, w.cfg.Bus.Letters.Republish(ctx, outcome.DeadLetter(what.record))
	default:
	}
	if !did || err != nil {
		return "", err
	}
	return what.kind, nil
}

// planAgain creates the record of a job that is queued. The record gets the trace id of
// the message, because the spans of its deliveries are in that trace.
func (r *Runner) planAgain(ctx context.Context, j job.Job) (bool, error) {
	id, err := r.cfg.Bus.Queue.Trace(ctx, j.Round, j.UID)
	if err != nil {
		return false, err
	}
	record := job.Plan(j.Round, j.UID, id)
	record.Replay = j.Replay
	created, err := r.cfg.Bus.Records.Plan(ctx, record)
	if created {
		r.roots.goingOn(ctx, j, record)
	}
	return created, err
}

// free deals with one stuck message, by its job's record: a message without a job, or of a
// job that has ended, is removed; one whose deliveries are used up makes its job a dead
// letter; any other was passed over by the server and is replaced by a copy.
func (r *Runner) free(ctx context.Context, s jobstream.Stuck) (what string, record job.Record, err error) {
	if ctx.Err() != nil {
		return "", record, ctx.Err() //nolint:wrapcheck // the caller's own
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	record, _, err = r.cfg.Bus.Records.Load(ctx, s.Round, s.UID)
	if errors.Is(err, jobstream.ErrNotFound) { // reconcile has just planned the records that were missing
		return "message of no job: removed", record, r.cfg.Bus.Queue.Discard(ctx, s)
	}
	if err != nil {
		return "", record, err
	}
	switch {
	case record.Phase.Ended() || s.Replay >= 0 && s.Replay < record.Replay:
		return "message of an ended job: removed", record, r.cfg.Bus.Queue.Discard(ctx, s)
	case usedUp(record, s):
		err := r.exhausted(ctx, jobstream.Exhausted{
			Round:      s.Round,
			UID:        s.UID,
			Replay:     s.Replay,
			Sequence:   s.Sequence,
			Deliveries: record.Claim.Delivery,
		})
		if err != nil {
			return "", record, err
		}
		return "deliveries used up, and nobody said so: buried", record, r.cfg.Bus.Queue.Discard(ctx, s)
	}
	return "message passed over: published again", record, r.cfg.Bus.Queue.Unstick(ctx, s)
}

// usedUp reports whether the last possible delivery of a stuck message was claimed. Then
// its deliveries are used up, even if the server's advisory was lost.
func usedUp(r job.Record, s jobstream.Stuck) bool {
	return r.Claim != nil && r.Claim.Sequence == s.Sequence && s.MaxDeliver > 0 && r.Claim.Delivery >= uint64(s.MaxDeliver)
}
