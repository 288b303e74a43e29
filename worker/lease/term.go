package lease

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/pause"
)

// term is the time that a delivery is ours: it sends the heartbeats and ends
// ctx with ErrLeaseLost at the local deadline.
type term struct {
	ctx      context.Context //nolint:containedctx // the term is this context's owner
	end      context.CancelCauseFunc
	delivery *jobstream.Delivery
	log      *slog.Logger
	timing   timing

	mu       sync.Mutex
	deadline time.Time

	expiry *time.Timer
	first  *time.Timer        // begins the heartbeats: most jobs have ended by then
	quit   context.CancelFunc // ends them
	beats  sync.WaitGroup
}

// timing derives everything from the lease that the server grants.
type timing struct {
	lease  time.Duration // AckWait
	beat   time.Duration // between heartbeats: a third, so that two may be lost
	margin time.Duration // how much before the server the worker gives up: a sixth
	retry  time.Duration // after a heartbeat that was not confirmed
}

// timingOf gives, for the default lease of 30 s: heartbeats every 10 s, the
// local deadline at 25 s, and another try 2.5 s after a failed heartbeat.
func timingOf(ackWait time.Duration) timing {
	return timing{lease: ackWait, beat: ackWait / 3, margin: ackWait / 6, retry: ackWait / 12}
}

// beginTerm starts the term of a delivery. Its context carries ctx's values
// but not its end: only the deadline or stop ends it.
//
//nolint:contextcheck // on purpose, as said
func beginTerm(ctx context.Context, d *jobstream.Delivery, t timing, log *slog.Logger) *term {
	l := &term{delivery: d, log: log, timing: t, deadline: d.Received().Add(t.lease - t.margin)}
	l.ctx, l.end = context.WithCancelCause(context.WithoutCancel(ctx))
	l.expiry = time.AfterFunc(time.Until(l.deadline), l.expire)
	beating, quit := context.WithCancel(l.ctx)
	l.quit = quit
	l.beats.Add(1)
	l.first = time.AfterFunc(t.beat, func() { defer l.beats.Done(); l.beat(beating) })
	return l
}

// lost says whether the job may be somebody else's by now. It looks at the
// clock too: after a stall the timer that ends ctx may run later than whoever
// asks.
func (l *term) lost() bool { return l.ctx.Err() != nil || !time.Now().Before(l.until()) }

// lose ends the term before its deadline: the record is held by another.
func (l *term) lose() { l.end(ErrLeaseLost) }

// hush ends the heartbeats for good; the deadline stays. It is called before
// the message is settled: a heartbeat after a nak would undo its delay.
func (l *term) hush() {
	l.quit()
	if l.first.Stop() {
		l.beats.Done()
	}
	l.beats.Wait()
}

// stop ends the term; nothing of it is left afterwards.
func (l *term) stop() {
	l.hush()
	l.expiry.Stop()
	l.end(context.Canceled)
}

// expire ends the term if the deadline has really passed: a heartbeat may
// have moved it just now.
func (l *term) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := time.Until(l.deadline); left > 0 {
		l.expiry.Reset(left)
		return
	}
	l.end(ErrLeaseLost)
}

// beat sends heartbeats until ctx ends, the first one at once. It looks at the
// deadline before each one: after a stall the first thing must not be a
// heartbeat, which would prolong somebody else's lease.
func (l *term) beat(ctx context.Context) {
	complained := false
	for next := time.Duration(0); ; {
		_ = pause.For(ctx, next)
		if ctx.Err() != nil || !time.Now().Before(l.until()) {
			return
		}
		sent := time.Now()
		bounded, cancel := context.WithDeadline(ctx, l.until())
		err := l.delivery.InProgress(bounded)
		cancel()
		switch {
		case err == nil:
			l.extend(sent)
			next, complained = l.timing.beat, false
		case ctx.Err() != nil:
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

// until is the local deadline as of now.
func (l *term) until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadline
}

// extend counts the lease from before the confirmed heartbeat was sent.
func (l *term) extend(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = sent.Add(l.timing.lease - l.timing.margin)
	l.expiry.Reset(time.Until(l.deadline))
}
