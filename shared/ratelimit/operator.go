package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/ratelimit/bucket"
)

// What an Operator refuses.
var (
	// ErrNoBucket says that nobody has asked for a permit of the egress, or that
	// Redis lost its bucket and nobody has asked since.
	ErrNoBucket = errors.New("ratelimit: the egress has no bucket")
	// ErrNotHeld says that there is no hold to release.
	ErrNotHeld = errors.New("ratelimit: the egress is not held")
	// ErrNotCooling says that there is no cool-down to end.
	ErrNotCooling = errors.New("ratelimit: the egress does not cool down")
)

// The bounds of a hold by hand. A cool-down is the mirror's order; a hold is an
// operator's, and ends by itself when it was forgotten.
const (
	MinHold = time.Second
	MaxHold = bucket.MaxHold * time.Microsecond
)

// Operator looks at an egress, stops it and resumes it, by hand. It takes no
// permits and needs none of the egress's parameters.
type Operator struct{ record record }

// NewOperator makes one over a client that stays the caller's; [NewClient] makes
// one. Each call ends at the timeout.
func NewOperator(egress string, rdb redis.UniversalClient, timeout time.Duration) (*Operator, error) {
	if err := CheckEgress(egress); err != nil {
		return nil, err
	}
	if err := validateClient(rdb); err != nil {
		return nil, err
	}
	return &Operator{newRecord(rdb, egress, timeout)}, nil
}

// State reads the bucket.
func (o *Operator) State(ctx context.Context) (State, error) { return o.record.look(ctx) }

// Hold stops the egress for a time from now, beside any cool-down, and returns
// the bucket as it is then. A hold that ends later stays as it is, so that nobody
// shortens what another has asked for; Release ends any. Reservations that were
// given before are void; a process that does not hear of it uses what it holds. The note
// stays with the hold that ends last.
func (o *Operator) Hold(ctx context.Context, length time.Duration, n Note) (State, error) {
	if length < MinHold || length > MaxHold {
		return State{}, fmt.Errorf("ratelimit: a hold of %v: want %v to %v", length, MinHold, MaxHold)
	}
	order := bucket.Request{Hold: length.Microseconds(), Note: n.encode()}
	return o.set(ctx, order, func(State) error { return nil })
}

// Release ends a hold. Processes that were told to ask again later do so when they
// hear of it, within one horizon at the latest; permits come at the normal pace.
func (o *Operator) Release(ctx context.Context) (State, error) {
	return o.set(ctx, bucket.Request{Hold: -1}, func(s State) error {
		if s.Hold <= 0 {
			return fmt.Errorf("%w: %s", ErrNotHeld, o.record.egress)
		}
		return nil
	})
}

// EndCoolDown ends the cool-down before the time for which the mirror asked. Processes that
// wait ask again as after a release, and permits come at the normal pace: the limit is kept.
// What the mirror does to an address that does not wait is not known.
func (o *Operator) EndCoolDown(ctx context.Context) (State, error) {
	return o.set(ctx, bucket.Request{Cool: -1}, func(s State) error {
		if s.CoolDown <= 0 {
			return fmt.Errorf("%w: %s", ErrNotCooling, o.record.egress)
		}
		return nil
	})
}

// set gives an order to a bucket that exists, with the parameters in force, so that it
// starts none with others.
func (o *Operator) set(ctx context.Context, order bucket.Request, check func(State) error) (State, error) {
	before, err := o.record.look(ctx)
	if err != nil {
		return State{}, err
	}
	if !before.Known {
		return State{}, fmt.Errorf("%w: %s", ErrNoBucket, o.record.egress)
	}
	if err := check(before); err != nil {
		return State{}, err
	}
	in := inForce(before)
	in.Hold = order.Hold
	in.Note = order.Note
	in.Cool = order.Cool
	if _, err = o.record.ask(ctx, in); Refusal(err) != nil {
		return State{}, err
	} else if err != nil {
		return State{}, fmt.Errorf("%w; whether the order is in force is not known: repeat it", err)
	}
	return o.record.look(ctx)
}

// inForce is a request with the parameters in force that reserves nothing.
func inForce(s State) bucket.Request {
	return bucket.Request{
		Interval: s.Interval.Microseconds(),
		Horizon:  s.Horizon.Microseconds(),
		Limit:    int64(s.Limit),
		Window:   s.Window.Microseconds(),
		MaxCool:  (24 * time.Hour).Microseconds(), // it shortens nothing
	}
}
