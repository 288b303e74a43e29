package steering

import (
	"context"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

// After reads how the schedule stands after an order.
func After(ctx context.Context, bus *jobstream.Bus, did view.Steered) (view.Steered, error) {
	return steered(ctx, bus, did)
}

// Answer logs an order, and answers with what it has done.
func (o *Operator) Answer(ctx context.Context, g Giver, did view.Steered, err error) (view.Steered, error) {
	return o.steered(ctx, did.Order, g, did, err)
}
