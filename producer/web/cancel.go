package web

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
)

// cancelRequest is the body of a cancel, with what `producer cancel` takes as flags. An
// empty body cancels the whole round.
type cancelRequest struct {
	UIDs   []int  `json:"uids"`
	Reason string `json:"reason"`
	By     string `json:"by"`
}

func (asked cancelRequest) check() error {
	if err := checkGiven(asked.By, asked.Reason); err != nil {
		return err
	}
	return checkUIDs(asked.UIDs)
}

// cancel stores an order to end a round, or some of its jobs, and answers 202 with what it
// ends. The producer that runs the round carries the order out. If there is none, this
// process does, after the answer.
func (a *API) cancel(r *http.Request) (reply, error) {
	if err := a.mayOrder(r); err != nil {
		return reply{}, err
	}
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	asked, err := readOrder[cancelRequest](r, `{"uids": [5, 17], "reason": "their mirror is away"}`,
		"uids as a list of whole numbers, reason and by as texts", "uids, reason, by")
	if err != nil {
		return reply{}, err
	}
	name, err := a.roundName(r)
	if err != nil {
		return reply{}, err
	}
	follow, err := a.cancels.reserve()
	if err != nil {
		return reply{}, err
	}
	ordered, err := view.OrderCancel(r.Context(), a.cfg.Bus, name, job.CancelOrder{
		UIDs:   asked.UIDs,
		By:     cmp.Or(asked.By, a.cfg.Name),
		At:     a.cfg.Now().UTC(),
		Reason: asked.Reason,
	})
	follow(ordered, err == nil)
	if err != nil {
		return reply{}, err
	}
	a.cfg.Log.InfoContext(r.Context(), "a cancel was asked for", "round", ordered.Round, "miners", len(ordered.UIDs))
	stands, err := view.CancelOf(r.Context(), a.cfg.Bus, ordered, a.cfg.Now())
	return reply{status: http.StatusAccepted, body: stands, header: map[string]string{"Location": base + "/rounds/" + ordered.Round}}, err
}

// maxFollowed bounds how many orders one process follows at the same time. An operator has
// no use for more.
const maxFollowed = 16

// cancels owns what follows the orders that the API has stored.
type cancels struct {
	work  Canceller
	log   *slog.Logger
	ctx   context.Context //nolint:containedctx // the life of what follows an order, which outlasts the request
	quit  context.CancelFunc
	wait  sync.WaitGroup
	slots chan struct{}
}

func newCancels(ctx context.Context, work Canceller, log *slog.Logger) *cancels {
	ctx, quit := context.WithCancel(ctx)
	return &cancels{
		work:  work,
		log:   log,
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
		return nil, &problem{kind: busy, detail: plural.Of(maxFollowed, "order") + " to cancel are being carried out"}
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
