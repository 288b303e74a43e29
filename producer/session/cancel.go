package session

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
)

// Cancel stores an order to end the round of Config.Resume, or the jobs of some of its
// miners, and waits until it is carried out. ordered is called in between. Where no producer
// runs the round, this one carries the order out, without workers.
func (s *Session) Cancel(ctx context.Context, order job.CancelOrder, ordered func(round.Cancelled)) (v view.Cancel, err error) {
	if err := s.openState(); err != nil {
		return v, err
	}
	if err := s.attach(ctx); err != nil {
		return v, err
	}
	order.At = time.Now().UTC()
	c, err := view.OrderCancel(ctx, s.fleet.Bus, s.cfg.Resume, order)
	if err != nil {
		return v, err
	}
	ordered(c)
	s.cfg.Resume = c.Round
	m, err := s.fleet.Bus.Rounds.Manifest(ctx, c.Round)
	if err != nil {
		return v, fmt.Errorf("round %s: %w", c.Round, err)
	}
	if s.cfg.World != "" { // a simulated mirror, which ended with its round
		if m, err = s.simulate(ctx, m); err != nil {
			return v, err
		}
	}
	s.onClose(s.closeMirrors)
	config := s.roundConfig()
	if config.Mirror, err = s.mirrorOf(m.Mirror); err != nil { //nolint:contextcheck // its breaker is nobody's request
		return v, err
	}
	runner, err := round.New(config)
	if err != nil {
		return v, err
	}
	if err := runner.FollowCancel(ctx, c); err != nil {
		return v, err
	}
	return view.CancelOf(ctx, s.fleet.Bus, c, time.Now())
}
