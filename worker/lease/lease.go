package lease

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/pause"
)

// lease is the time for which a delivery belongs to this worker. It sends the heartbeats,
// and ends ctx with ErrLeaseLost at the local deadline.
type lease struct {
	ctx      context.Context //nolint:containedctx // the lease is this context's owner
	end      context.CancelCauseFunc
	delivery *jobstream.Delivery
	log      *slog.Logger
	timing   timing

	mu       sync.Mutex
	deadline time.Time
	claim    *claim // nil until the record is claimed

	expiry *time.Timer
	first  *time.Timer        // begins the heartbeats: most jobs have ended by then
	quit   context.CancelFunc // ends them
	beats  sync.WaitGroup
}

// timing is derived from the lease that the server grants.
type timing struct {
	length time.Duration // AckWait
	beat   time.Duration // between signs of life: a sixth, so that four may be lost
	margin time.Duration // how much before the server the worker gives up: a sixth
	retry  time.Duration // after a heartbeat that was not confirmed
}

// timingOf gives, for the default lease of 30 s: a sign of life every 5 s, the local
// deadline at 25 s, and another try 2.5 s after a failed heartbeat. The signs must be that
// frequent, because a producer reports within ten seconds that no worker is left.
func timingOf(ackWait time.Duration) timing {
	return timing{
		length: ackWait,
		beat:   ackWait / job.SignsPerLease,
		margin: ackWait / 6,
		retry:  ackWait / 12,
	}
}

// beginLease starts the lease of a delivery. Its context carries ctx's values, but does not
// end with ctx: only the deadline or stop ends it. So a drain can still commit and settle.
//
//nolint:contextcheck // on purpose, as said
func beginLease(ctx context.Context, d *jobstream.Delivery, t timing, log *slog.Logger) *lease {
	l := &lease{
		delivery: d,
		log:      log,
		timing:   t,
		deadline: d.Received().Add(t.length - t.margin),
	}
	l.ctx, l.end = context.WithCancelCause(context.WithoutCancel(ctx))
	l.expiry = time.AfterFunc(time.Until(l.deadline), l.expire)
	beating, quit := context.WithCancel(l.ctx)
	l.quit = quit
	l.beats.Add(1)
	l.first = time.AfterFunc(t.beat, func() { defer l.beats.Done(); l.beat(beating) })
	return l
}

// lost says whether the job may belong to another worker by now. It also looks at the clock:
// after a stall of the process, the timer that ends ctx may run later than the caller.
func (l *lease) lost() bool { return l.ctx.Err() != nil || !time.Now().Before(l.until()) }

// showOn makes the heartbeats update the record, too.
func (l *lease) showOn(c *claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claim = c
}

// lose ends the lease before its deadline, because another worker holds the record.
func (l *lease) lose() { l.end(ErrLeaseLost) }

// stopHeartbeats ends the heartbeats for good. The deadline stays. It is called before the
// message is settled: a heartbeat after a nak would cancel the nak's delay.
func (l *lease) stopHeartbeats() {
	l.quit()
	if l.first.Stop() {
		l.beats.Done()
	}
	l.beats.Wait()
}

// stop ends the lease, and waits for its goroutines.
func (l *lease) stop() {
	l.stopHeartbeats()
	l.expiry.Stop()
	l.end(context.Canceled)
}

// expire ends the lease if the deadline has passed. It checks, because a heartbeat may just
// have moved the deadline.
func (l *lease) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := time.Until(l.deadline); left > 0 {
		l.expiry.Reset(left)
		return
	}
	l.end(ErrLeaseLost)
}

// beat sends heartbeats until ctx ends, the first one at once. It checks the deadline before
// each: after a stall of the process, a heartbeat could prolong another worker's lease.
func (l *lease) beat(ctx context.Context) {
	complained := false
	for next := time.Duration(0); ; {
		_ = pause.For(ctx, next)
		if ctx.Err() != nil || !time.Now().Before(l.until()) {
			return
		}
		sent := time.Now()
		err := l.live(ctx)
		switch {
		case err == nil:
			l.extend(sent)
			next, complained = l.timing.beat, false
		case ctx.Err() != nil:
			return
		case errors.Is(err, job.ErrFenced), errors.Is(err, job.ErrSettled):
			l.lose()
			return
		default:
			next = l.timing.retry
			if !complained {
				complained = true
				l.log.WarnContext(ctx, "heartbeat not confirmed", "deadline_in", time.Until(l.until()), "error", err)
			}
		}
	}
}

// live sends one heartbeat: first to the record, which the producer follows by its own
// clock, then to the server, which uses its clock. If the record has another claim, live
// stops there, so that it does not prolong the other's lease. It takes at most half of the
// lease's remaining time, so that another heartbeat can follow.
func (l *lease) live(ctx context.Context) error {
	l.mu.Lock()
	claim, left := l.claim, time.Until(l.deadline)
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, left/2)
	defer cancel()
	if claim != nil {
		if err := claim.beat(ctx); err != nil {
			return err
		}
	}
	return l.delivery.InProgress(ctx)
}

// until is the current local deadline.
func (l *lease) until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadline
}

// extend counts the lease from the time before the confirmed heartbeat was sent. The server
// counts from the later time at which it receives it.
func (l *lease) extend(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = sent.Add(l.timing.length - l.timing.margin)
	l.expiry.Reset(time.Until(l.deadline))
}
