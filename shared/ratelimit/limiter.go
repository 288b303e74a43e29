package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/doing"
)

// ErrClosed is what a Permit returns that was waiting, or asked for, when the
// limiter was closed.
var ErrClosed = errors.New("ratelimit: the limiter is closed")

// Limiter hands out the permits of one egress in one process. It is safe for
// concurrent use. Its one goroutine hears when another process stops the egress.
type Limiter struct {
	cfg    Config
	record record
	// life ends with Close.
	life context.Context //nolint:containedctx // the limiter's own lifetime, joined to each call's context
	end  context.CancelCauseFunc

	round      class
	background []*class // at least one

	session   session
	cool      coolDown
	listener  listener
	listening sync.WaitGroup
	health    health
	mismatch  mismatch
	count     *counters
}

// New makes a limiter over a client that stays the caller's: Close does not
// close it. The client must not send a reservation again by itself and must keep
// to the deadline of a call; [NewClient] makes one that does.
func New(cfg Config, rdb redis.UniversalClient) (*Limiter, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := validateClient(rdb); err != nil {
		return nil, err
	}
	count, err := newCounters(cfg.Egress)
	round, errRound := newPermitCounters(cfg.Egress, "round")
	background, errBackground := newPermitCounters(cfg.Egress, "background")
	if err := errors.Join(err, errRound, errBackground); err != nil {
		return nil, fmt.Errorf("ratelimit: metrics: %w", err)
	}
	life, end := context.WithCancelCause(context.Background())

	l := &Limiter{
		cfg:      cfg,
		record:   newRecord(rdb, cfg.Egress, cfg.Timeout),
		life:     life,
		end:      end,
		round:    class{count: round},
		health:   health{log: cfg.Log, egress: cfg.Egress},
		mismatch: mismatch{log: cfg.Log, cfg: cfg},
		count:    count,
	}
	for range cfg.BackgroundReservations {
		l.background = append(l.background, &class{count: background, right: int64(cfg.Minimum) * cfg.interval().Microseconds()})
	}
	l.listening.Go(l.listen)
	return l, nil
}

// Close ends every wait with ErrClosed. It may be called more than once.
func (l *Limiter) Close() error {
	l.end(ErrClosed)
	l.listening.Wait()
	return nil
}

// Permit waits for the right to send one request of the round. The caller may send until
// useBy, by the process's monotonic clock; later it must take another. The only
// errors are the end of the context and ErrClosed.
func (l *Limiter) Permit(ctx context.Context) (useBy time.Time, err error) {
	return l.permitOf(ctx, caller{class: &l.round})
}

func (l *Limiter) permitOf(ctx context.Context, who caller) (useBy time.Time, err error) {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return traced(ctx, l.cfg.Egress, func(ctx context.Context) (time.Time, error) { return l.permit(ctx, who) })
}

// Flowing returns when the round's permits flow: nobody in this process waits, or the
// first in line has been first for less than patience. While it blocks there is no point
// in taking on more work. Its only errors are those of Permit.
func (l *Limiter) Flowing(ctx context.Context, patience time.Duration) error {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	for {
		now := l.round.queue.look()
		if now.waiting == 0 || time.Since(now.turn) < patience {
			return nil
		}
		select {
		case <-now.moved:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

// bound joins the limiter's own life to the context of a call.
func (l *Limiter) bound(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if l.life.Err() != nil {
		cancel(ErrClosed) // AfterFunc would take its time
	}
	stop := context.AfterFunc(l.life, func() { cancel(ErrClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

func (l *Limiter) permit(ctx context.Context, who caller) (time.Time, error) {
	began := time.Now()
	who.count.waits(ctx, 1)
	defer who.count.waits(ctx, -1)
	mine := make(ticket)
	defer doing.Wait(ctx, func(time.Time) doing.State { return l.waits(who, mine) })()
	if err := who.queue.join(ctx, mine, began); err != nil {
		return time.Time{}, err
	}
	defer func() { who.queue.leave(time.Now()) }()
	for {
		r, err := l.reservation(ctx, who)
		if err != nil {
			return time.Time{}, err
		}
		usable, err := l.await(ctx, who.class, r)
		if err != nil {
			return time.Time{}, err
		}
		if usable {
			who.count.permit(ctx, time.Since(began))
			return r.UseBy, nil
		}
	}
}

// waits says what a caller waits for who has this ticket.
func (l *Limiter) waits(who caller, mine ticket) doing.State {
	if _, trouble := l.health.blocked(); trouble != nil {
		return doing.State{Waits: doing.Redis, Why: trouble.Error()}
	}
	return doing.State{Waits: doing.Permit, Place: who.queue.place(mine)}
}

// await waits until a reservation's slot. A reservation that is then too late,
// or that a cool-down made void, is not usable. One whose waiter goes is left to
// the next.
func (l *Limiter) await(ctx context.Context, of *class, r reservation) (usable bool, err error) {
	left := time.Until(r.From)
	if left <= 0 && ctx.Err() == nil {
		return l.usable(ctx, of, r, time.Now()), nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		stop, next := l.listener.stops()
		if stop.voids(r.slot) {
			break
		}
		select {
		case <-ctx.Done():
			of.left = &r
			return false, ended(ctx)
		case <-next:
			continue
		case <-r.void:
		case <-timer.C:
		}
		break
	}
	return l.usable(ctx, of, r, time.Now()), nil
}

// usable tells whether a reservation can be used at now or later, and counts why
// if it cannot.
func (l *Limiter) usable(ctx context.Context, of *class, r reservation, now time.Time) bool {
	stop, _ := l.listener.stops()
	switch {
	case closed(r.void), stop.voids(r.slot):
		of.count.void.add(ctx)
		return false
	case now.After(r.UseBy):
		of.count.late.add(ctx)
		return false
	}
	return true
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// ended is the error of a wait that its context ended.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("ratelimit: waiting for a permit: %w", cause)
}
