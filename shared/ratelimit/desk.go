package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/ratelimit/bucket"
)

// What a Desk refuses.
var (
	// ErrNoBucket says that nobody has asked for a permit of the egress, or that
	// Redis lost its bucket and nobody has asked since.
	ErrNoBucket = errors.New("ratelimit: the egress has no bucket")
	// ErrNotHeld says that there is no hold to release.
	ErrNotHeld = errors.New("ratelimit: the egress is not held")
)

// The bounds of a hold by hand. A cool-down is the mirror's word; a hold is an
// operator's, and ends by itself when it was forgotten.
const (
	MinHold = time.Second
	MaxHold = bucket.MaxHold * time.Microsecond
)

// Desk is where an egress is looked at, stopped and resumed by hand. It takes no
// permits and needs none of the egress's figures.
type Desk struct{ record record }

// NewDesk makes a desk over a client that stays the caller's; [NewClient] makes
// one. Each call ends at the timeout.
func NewDesk(egress string, rdb redis.UniversalClient, timeout time.Duration) (*Desk, error) {
	if err := CheckEgress(egress); err != nil {
		return nil, err
	}
	if err := validateClient(rdb); err != nil {
		return nil, err
	}

	return &Desk{newRecord(rdb, egress, timeout)}, nil
}

// State reads the bucket.
func (d *Desk) State(ctx context.Context) (State, error) { return d.record.look(ctx) }

// Hold stops the egress for a time from now, beside any cool-down, and returns
// the bucket as it is then. A hold that ends later stays as it is, so that nobody
// shortens what another has asked for; Release ends any. Reservations that were
// given before are void; a process that does not hear of it uses what it holds.
func (d *Desk) Hold(ctx context.Context, length time.Duration) (State, error) {
	if length < MinHold || length > MaxHold {
		return State{}, fmt.Errorf("ratelimit: a hold of %v: want %v to %v", length, MinHold, MaxHold)
	}

	return d.set(ctx, length.Microseconds(), func(State) error { return nil })
}

// Release ends a hold. Processes that were told to ask again later do so when they
// hear of it, within one horizon at the latest; permits come at the normal pace.
func (d *Desk) Release(ctx context.Context) (State, error) {
	return d.set(ctx, -1, func(s State) error {
		if s.Hold <= 0 {
			return fmt.Errorf("%w: %s", ErrNotHeld, d.record.egress)
		}

		return nil
	})
}

// set changes the hold of a bucket that exists, with the figures in force, so that
// it starts none with others.
func (d *Desk) set(ctx context.Context, hold int64, check func(State) error) (State, error) {
	before, err := d.record.look(ctx)
	if err != nil {
		return State{}, err
	}
	if !before.Known {
		return State{}, fmt.Errorf("%w: %s", ErrNoBucket, d.record.egress)
	}
	if err := check(before); err != nil {
		return State{}, err
	}
	in := inForce(before)
	in.Hold = hold
	if _, err = d.record.ask(ctx, in); Refusal(err) != nil {
		return State{}, err
	} else if err != nil {
		return State{}, fmt.Errorf("%w; whether the order is in force is not known: repeat it", err)
	}

	return d.record.look(ctx)
}

// inForce is a request with the figures in force that reserves nothing.
func inForce(s State) bucket.Request {
	return bucket.Request{
		Interval: s.Interval.Microseconds(), Horizon: s.Horizon.Microseconds(),
		Limit: int64(s.Limit), Window: s.Window.Microseconds(),
		MaxCool: (24 * time.Hour).Microseconds(), // it shortens nothing
	}
}
