package steering

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/plural"
)

// maxFollowed bounds how many orders one process follows at the same time. An operator has
// no use for more.
const maxFollowed = 16

// cancels owns what follows the orders to cancel that an Operator has stored.
type cancels struct {
	work  Canceller
	log   *slog.Logger
	ctx   context.Context //nolint:containedctx // the life of what follows an order, which outlasts the request
	quit  context.CancelFunc
	wait  sync.WaitGroup
	slots chan struct{}
}

func newCancels(ctx context.Context, cfg Config) *cancels {
	ctx, quit := context.WithCancel(ctx)
	return &cancels{
		work:  cfg.Cancel,
		log:   cfg.Log,
		ctx:   ctx,
		quit:  quit,
		slots: make(chan struct{}, maxFollowed),
	}
}

// reserve makes room for an order, before it is stored. The caller must call follow once,
// and says whether there is something to follow.
func (s *cancels) reserve() (follow func(c round.Cancelled, stored bool), err error) {
	select {
	case s.slots <- struct{}{}:
	default:
		return nil, fmt.Errorf("%w: there are %s to cancel", ErrBusy, plural.Of(maxFollowed, "order"))
	}
	return func(c round.Cancelled, stored bool) {
		if !stored || s.ctx.Err() != nil {
			<-s.slots
			return
		}
		s.wait.Go(func() {
			defer func() { <-s.slots }()
			s.follow(c)
		})
	}, nil
}

func (s *cancels) follow(c round.Cancelled) {
	err := s.work(s.ctx, c)
	switch {
	case err == nil:
		s.log.InfoContext(s.ctx, "an order to cancel is carried out", "round", c.Round, "uids", c.UIDs)
	case s.ctx.Err() != nil:
		s.log.InfoContext(s.ctx, "this producer stops: the next producer of the round carries out the order to cancel", "round", c.Round)
	default:
		s.log.WarnContext(s.ctx, "an order to cancel could not be followed: the producer of the round carries it out",
			"round", c.Round, "error", err)
	}
}

// close ends all and waits for them. It comes after the last request.
func (s *cancels) close() {
	s.quit()
	s.wait.Wait()
}
