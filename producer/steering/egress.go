package steering

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/ratelimit"
)

// ErrLimiter is an order to an egress that Redis did not take.
var ErrLimiter = errors.New("the order did not reach the egress's bucket")

// Hold stops an egress for a time from now. A hold that ends later stays.
func (o *Operator) Hold(ctx context.Context, g Giver, egress string, length time.Duration) (view.Bucket, error) {
	return o.bucket(ctx, "hold", g, egress, func(e *ratelimit.Operator) (ratelimit.State, error) {
		if length < ratelimit.MinHold || length > ratelimit.MaxHold {
			return ratelimit.State{}, refused("a hold of %s: want %s to %s", length, ratelimit.MinHold, ratelimit.MaxHold)
		}
		return e.Hold(ctx, length, ratelimit.Note{By: g.by(), Why: g.Reason})
	}, "length", length)
}

// Release ends the hold of an egress.
func (o *Operator) Release(ctx context.Context, g Giver, egress string) (view.Bucket, error) {
	return o.bucket(ctx, "release", g, egress, func(e *ratelimit.Operator) (ratelimit.State, error) { return e.Release(ctx) })
}

// EndCoolDown ends the cool-down of an egress early. Whoever orders it must have seen
// CoolDownRisk.
func (o *Operator) EndCoolDown(ctx context.Context, g Giver, egress string) (view.Bucket, error) {
	return o.bucket(ctx, "end-cool-down", g, egress, func(e *ratelimit.Operator) (ratelimit.State, error) { return e.EndCoolDown(ctx) })
}

// CoolDownRisk says what ending the cool-down of an egress early risks. It is refused for an
// egress that does not cool down.
func (o *Operator) CoolDownRisk(ctx context.Context, egress string) (string, error) {
	bucket, err := o.cfg.Egress(egress)
	if err != nil {
		return "", refused("%v", err)
	}
	state, err := bucket.State(ctx)
	switch {
	case err != nil:
		return "", limiterError(egress, err)
	case !state.Known:
		return "", fmt.Errorf("egress %s: %w", egress, ratelimit.ErrNoBucket)
	case state.CoolDown <= 0:
		return "", limiterError(egress, ratelimit.ErrNotCooling)
	}
	left := state.CoolDown.Round(time.Second)
	return fmt.Sprintf("the mirror asked egress %s to send nothing for %s more. %s", egress, left, view.CoolDownRisk), nil
}

// bucket gives an order to the bucket of an egress, and returns it as it is then.
func (o *Operator) bucket(
	ctx context.Context, order string, g Giver, egress string, give func(*ratelimit.Operator) (ratelimit.State, error), what ...any,
) (view.Bucket, error) {
	bucket, err := o.cfg.Egress(egress)
	if err != nil {
		err = refused("%v", err)
	}
	var state ratelimit.State
	if err == nil {
		if state, err = give(bucket); err != nil {
			err = limiterError(egress, err)
		}
	}
	if err := o.log(ctx, order, g, err, append([]any{"egress", egress}, what...)...); err != nil {
		return view.Bucket{}, err
	}
	return view.BucketOf(state), nil
}

// limiterError tells what an egress refuses from what Redis does not answer.
func limiterError(egress string, err error) error {
	_, no := errors.AsType[*RefusedError](err)
	switch {
	case no, errors.Is(err, ratelimit.ErrNoBucket):
		return err
	case errors.Is(err, ratelimit.ErrNotHeld):
		return &RefusedError{Why: fmt.Sprintf("egress %s is not held", egress), kind: ErrAlready}
	case errors.Is(err, ratelimit.ErrNotCooling):
		return &RefusedError{Why: fmt.Sprintf("egress %s does not cool down", egress), kind: ErrAlready}
	}
	return fmt.Errorf("%w: %w", ErrLimiter, ratelimit.Trouble(err))
}
