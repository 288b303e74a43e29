package jobstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// heldUntil is the instant until which the product pauses the workers' consumer. The server
// keeps it, through restarts and changes of its leader, and hands out nothing before. It is
// far away, because only an order ends a pause. It is one fixed instant, because it tells the
// product's own pause from one that an operator has made with the tools of NATS: that one
// stays as it is.
func heldUntil() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }

// held says whether a consumer is paused by the product.
func held(c jetstream.ConsumerConfig) bool {
	return c.PauseUntil != nil && c.PauseUntil.Equal(heldUntil())
}

// Load reads what operators have ordered, with the value's revision. The revision comes also
// with a damaged value (*ValueError); it is 0 if nothing was ever ordered.
func (s Steering) Load(ctx context.Context) (job.Steer, uint64, error) {
	steer, stored, err := s.steer().Find(ctx)
	return steer, stored.Revision, err
}

// Change replaces the orders by the result of next, also while others change them, and
// returns them as they are after that. next may be called several times; it returns false if
// there is nothing to change. Orders that cannot be read count as none. It does not wait for
// servers that are away for longer than two time-outs, because a person waits for it.
func (s Steering) Change(ctx context.Context, next func(job.Steer) (job.Steer, bool)) (job.Steer, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.cfg.Timeout)
	defer cancel()
	steer, changed, err := s.steer().Change(ctx, func(now job.Steer, _ kv.Stored, _ bool) (job.Steer, bool) { return next(now) })
	if err == nil && changed {
		crash.At(crash.SteerWritten)
	}
	if err != nil && (errors.Is(err, nats.ErrPermissionViolation) || s.unheard(ctx)) {
		err = fmt.Errorf("%w: %w", ErrMayNotOrder, err)
	}
	return steer, changed, err
}

// unheard says whether nobody listens to the orders of this connection: in another account
// than the streams', only what its role may write is imported. The message that asks is
// refused by the stream, because it expects another one.
func (s Steering) unheard(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	msg := nats.NewMsg(kv.Subject(job.BucketRounds, job.SteerKey))
	msg.Header.Set("Nats-Expected-Stream", "none-"+probeRound)
	_, err := s.nc.RequestMsgWithContext(ctx, msg)
	return errors.Is(err, nats.ErrNoResponders)
}

// ErrMayNotOrder says that the servers take no order from the user of this connection.
var ErrMayNotOrder = errors.New("NATS takes no order from this user: give a producer's credentials")

// Restore stores the orders again if they are gone or cannot be read, and says whether it
// did.
func (s Steering) Restore(ctx context.Context, steer job.Steer) (bool, error) {
	return s.steer().Restore(ctx, steer)
}

// Follow brings the workers' consumer to what is ordered: paused while a round is, and
// handing out jobs otherwise. Jobs that workers have stay theirs: the server takes their
// signs of life, their hand-backs and their acknowledgements as always, and counts no
// delivery.
//
// The process that changes the order follows it at once, and the producer of each round
// looks again all the time. So it does not matter which process dies after the order is
// stored, or in which sequence two orders arrive here.
func (s Steering) Follow(ctx context.Context, steer job.Steer) error {
	info, err := s.consumerInfo(ctx)
	if err != nil {
		return err
	}
	want, is := steer.Round != nil, held(info.Config)
	switch {
	case want && !info.Paused:
		return s.retry(ctx, "pausing consumer "+job.Consumer, func(ctx context.Context) error {
			_, err := s.js.PauseConsumer(ctx, job.StreamJobs, job.Consumer, heldUntil())
			return err //nolint:wrapcheck // retry names the operation
		})
	case !want && is:
		return s.retry(ctx, "resuming consumer "+job.Consumer, func(ctx context.Context) error {
			_, err := s.js.ResumeConsumer(ctx, job.StreamJobs, job.Consumer)
			return err //nolint:wrapcheck // as above
		})
	}
	return nil
}

// Next reads when the next turn of the schedule is due, as its producer has last said; zero
// if none has, or if the value cannot be read.
func (s Schedule) Next(ctx context.Context) (time.Time, error) {
	next, _, err := s.nextTurn().Find(ctx)
	if Damaged(err) {
		return time.Time{}, nil
	}
	return next.Due, err
}

// SetNext says when the next turn of the schedule is due.
func (s Schedule) SetNext(ctx context.Context, due time.Time) error {
	if err := s.nextTurn().Put(ctx, job.NextTurn{Due: due.UTC()}); err != nil {
		return fmt.Errorf("saying when the next turn is due: %w", err)
	}
	return nil
}

// Orders reads what operators have ordered, again and again, and remembers it. What the
// streams lose of it is restored from that: a pause must not end because a value is gone. It
// is for one goroutine.
type Orders struct {
	Steering

	known *job.Steer
}

// Read reads the orders, and says whether it had to restore them.
func (o *Orders) Read(ctx context.Context) (steer job.Steer, restored bool, err error) {
	steer, revision, err := o.Load(ctx)
	if err != nil && !Damaged(err) {
		return steer, false, err
	}
	if lost := err != nil || revision == 0 && o.known != nil && *o.known != (job.Steer{}); lost {
		steer = job.Steer{}
		if o.known != nil {
			steer = *o.known
		}
		if restored, err = o.Restore(ctx, steer); err != nil {
			return steer, false, fmt.Errorf("restoring the orders: %w", err)
		}
	}
	o.known = &steer
	return steer, restored, nil
}
