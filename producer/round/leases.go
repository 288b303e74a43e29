package round

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// lookAgain is the time between two looks at the leases of a round. A job is taken back
// at one look and queued again at the next. With slack, this is at most 750 + 2×400 ms
// after the end of its lease, which leaves room in the 2 s that doc.go promises.
const lookAgain = 400 * time.Millisecond

// What is done about leases. The texts are what the log, the metrics and the outcome call
// it, so they do not change.
const (
	takenBack  = "lease lapsed by this producer's clock: taken back"
	lapsedDead = "deliveries used up by this producer's clock: buried"
	renewed    = "message withheld from workers that wait: published again"
)

// keeper watches over the leases of one round.
type keeper struct {
	*Runner

	round   string
	lives   *lives
	workers attendance
	mended  []outcome.Mended
	// orders are those of operators, paused the pause that holds back the round's jobs.
	orders jobstream.Orders
	paused *job.RoundStop
	// failing says that the last look failed, and that the log has it already.
	failing bool
}

// keepLeases counts the leases of a round by this process's monotonic clock until ctx
// ends. The server counts them by its wall clock: if that is set back by an hour, the
// server keeps a dead worker's job for an hour. Here only what the record shows decides.
func (r *Runner) keepLeases(ctx context.Context, round string, jobs []job.Job) ([]outcome.Mended, error) {
	lease := r.cfg.Bus.AckWait()
	k := keeper{
		Runner:  r,
		round:   round,
		lives:   newLives(jobs, lease),
		workers: newAttendance(lease, time.Now()),
		orders:  jobstream.Orders{Steering: r.cfg.Bus.Steering},
	}
	changes, err := r.cfg.Bus.Records.Watch(ctx, round)
	if err != nil {
		return nil, fmt.Errorf("watching the records for signs of life: %w", err)
	}
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		select {
		case record, open := <-changes:
			switch {
			case open:
				if now := time.Now(); k.lives.note(record, now) {
					k.workers.note(record, now)
				}
			case ctx.Err() != nil:
				return k.mended, nil
			default:
				return k.mended, errors.New("the watch of the records for signs of life ended")
			}
		case <-ticker.C:
			k.look(ctx)
		}
	}
}

// look deals with the jobs that are due. What fails now is due again at the next look, and
// the round continues in the meantime.
func (k *keeper) look(ctx context.Context) {
	asked := time.Now()
	out, err := k.cfg.Bus.Queue.HandOut(ctx, k.round)
	if err == nil {
		err = k.follow(ctx, out)
	}
	if late := time.Since(asked) - lookAgain; late > 0 { // NATS was away
		k.lives.blind(late)
		k.workers.blind(late)
	}
	if err == nil {
		k.attend(ctx, out, time.Now())
	}
	// After an error, out is zero: no worker is known to wait, and nothing counts as withheld.
	for _, one := range k.lives.look(out, time.Now()) {
		if err != nil {
			break
		}
		var what string
		if what, err = k.act(ctx, one, out.MaxDeliver); what != "" {
			k.mended = append(k.mended, k.tell(about(ctx, one.record), k.round, one.record.UID, what))
		}
	}
	if err != nil && ctx.Err() == nil && !k.failing {
		k.cfg.Log.ErrorContext(ctx, "could not check the leases of the round", "round", k.round, "error", err)
	}
	k.failing = err != nil
}

// act takes a job back or queues it again, and says which; "" if neither was needed after
// all. Once it has begun, it does not stop when ctx ends: burying the last job ends ctx
// itself, and the message would stay behind.
func (k *keeper) act(ctx context.Context, one life, maxDeliver int) (what string, err error) {
	if ctx.Err() != nil {
		return "", ctx.Err() //nolint:wrapcheck // the caller's own
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	if one.record.Phase == job.Running {
		what, err = k.takeBack(ctx, one.record, maxDeliver)
	} else {
		what, err = k.renew(ctx, one)
	}
	if err != nil {
		return what, fmt.Errorf("the job of miner %d: %w", one.record.UID, err)
	}
	return what, nil
}

// takeBack ends a claim that has lapsed. Its worker may be alive after all, or another may
// have claimed the job just now. Either has changed the record since, so that taking it back
// is refused (ErrFenced) or the write conflicts.
func (k *keeper) takeBack(ctx context.Context, seen job.Record, maxDeliver int) (string, error) {
	for {
		record, revision, err := k.cfg.Bus.Records.Load(ctx, seen.Round, seen.UID)
		if err != nil {
			return "", k.gone(err, seen.UID)
		}
		taken, err := lapse(record, *seen.Claim, maxDeliver, time.Now().UTC())
		if errors.Is(err, job.ErrFenced) || errors.Is(err, job.ErrSettled) {
			k.lives.note(record, time.Now())
			return "", nil
		}
		what := takenBack
		if taken.Phase.Ended() {
			what = lapsedDead
			_, err = k.bury(ctx, taken, revision)
		} else if err == nil {
			_, err = k.cfg.Bus.Records.Update(ctx, taken, revision)
		}
		switch {
		case errors.Is(err, jobstream.ErrConflict):
			continue
		case err != nil:
			return "", err
		case taken.Phase.Ended():
			k.lives.note(taken, time.Now())
		default:
			crash.At(crash.TakenBack)
			k.lives.of[seen.UID] = life{record: taken, since: time.Now(), taken: true}
		}
		return what, nil
	}
}

// renew replaces the withheld message of a job by a copy, unless a worker has claimed the
// job in the meantime. A job without a message is left to the reconciler.
func (k *keeper) renew(ctx context.Context, one life) (string, error) {
	record, _, err := k.cfg.Bus.Records.Load(ctx, one.record.Round, one.record.UID)
	if err != nil {
		return "", k.gone(err, one.record.UID)
	}
	if signOf(record) != signOf(one.record) {
		k.lives.note(record, time.Now())
		return "", nil
	}
	did, err := k.cfg.Bus.Queue.Renew(ctx, record.Round, record.UID)
	if err != nil {
		return "", err
	}
	k.lives.of[record.UID] = life{record: record, since: time.Now()}
	if !did {
		return "", nil
	}
	crash.At(crash.Freed)
	return renewed, nil
}

// gone forgets a job whose record is missing or unreadable. The reconciler repairs the
// record, and then the watch shows it again.
func (k *keeper) gone(err error, uid int) error {
	if errors.Is(err, jobstream.ErrNotFound) || jobstream.Damaged(err) {
		delete(k.lives.of, uid)
		return nil
	}
	return err
}

// tell logs and counts a repair, and returns it for the outcome's list. uid is -1 for a
// repair of the round itself.
func (r *Runner) tell(ctx context.Context, round string, uid int, what string) outcome.Mended {
	telemetry.AuditMended(ctx, what, 1)
	r.cfg.Log.WarnContext(ctx, "mended", "round", round, "uid", uid, "what", what)
	return outcome.Mended{UID: uid, What: what}
}
