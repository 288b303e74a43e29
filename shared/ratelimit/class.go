package ratelimit

import (
	"context"
	"fmt"
	"math"
	"time"
)

// DefaultShare is the share of a [Background] that names none.
const DefaultShare = 0.5

// class is a line of waiters in this process, of one of the two classes. It holds one
// reservation of its own. The round has one line, and the background has
// Config.BackgroundReservations.
type class struct {
	// queue gives the turn to the one waiter that reserves. The turn guards left.
	queue queue
	left  *reservation // by a waiter that has gone, for the next; nil for none
	// right is bucket.Request.Right of its requests.
	right int64
	count *permitCounters
}

// caller is who asks for a permit: one of a class, with bucket.Request.Spacing.
type caller struct {
	*class

	spacing int64
}

// Background is a view of a Limiter for requests that make way for the round's: a
// permit comes when no process of the round has had a slot for two intervals, or when
// no slot has gone to the background of the egress for Config.Minimum slots. The views
// of a Limiter share its lines of waiters and their reservations.
type Background struct {
	limiter *Limiter
	spacing int64
}

// Background returns a view that takes at most a share of the egress's limit: none of
// its slots is nearer than interval/share to the last one of any background. That is
// more than 0 and at most 1, which is all that the round leaves; 0 stands for
// [DefaultShare]. The view ends with the Limiter.
func (l *Limiter) Background(share float64) (*Background, error) {
	if share == 0 {
		share = DefaultShare
	}
	interval := l.cfg.interval()
	if lowest := interval.Seconds() / longest.Seconds(); !(share >= lowest && share <= 1) { // NaN is neither
		return nil, fmt.Errorf("ratelimit: the background's share is %v, want %.2g to 1, or 0 for %v", share, lowest, DefaultShare)
	}
	return &Background{l, int64(math.Ceil(float64(interval.Microseconds()) / share))}, nil
}

// Permit is [Limiter.Permit] for a request of the background.
func (b *Background) Permit(ctx context.Context) (useBy time.Time, err error) {
	return b.limiter.permitOf(ctx, caller{b.limiter.shortest(), b.spacing})
}

// shortest is the line of the background in which the fewest wait. Two that look at
// once may choose the same one, which costs the second a turn.
func (l *Limiter) shortest() *class {
	best, fewest := l.background[0], l.background[0].queue.look().waiting
	for _, line := range l.background[1:] {
		if waiting := line.queue.look().waiting; waiting < fewest {
			best, fewest = line, waiting
		}
	}
	return best
}

// CoolDown is [Limiter.CoolDown]: it stops both classes.
func (b *Background) CoolDown(ctx context.Context, d time.Duration) error {
	return b.limiter.CoolDown(ctx, d)
}
