package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/job"
)

// orderRequest is the body of an order. It may be left out.
type orderRequest struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
}

func (asked orderRequest) check() error {
	return checkGiven(asked.By, asked.Reason)
}

// checkGiven checks who gives an order, and why.
func checkGiven(by, reason string) error {
	if err := bounded.CheckOrderText(by); err != nil {
		return wrong("by", "%v", err)
	}
	if err := bounded.CheckOrderText(reason); err != nil {
		return wrong("reason", "%v", err)
	}
	return nil
}

// caller is who has given an order that names nobody.
const caller = "a caller of the API"

// schedule answers how the schedule stands.
func (a *API) schedule(r *http.Request) (reply, error) {
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	stands, err := view.ScheduleOf(r.Context(), a.cfg.Bus, a.cfg.Now())
	return reply{body: stands}, err
}

// order reads who orders and why, carries the order out, and answers with what it has done.
// Only a pause has a reason.
func (a *API) order(r *http.Request, give func(context.Context, job.Stop) (view.Steered, error)) (reply, error) {
	if err := a.mayOrder(r); err != nil {
		return reply{}, err
	}
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	asked, err := readOrder[orderRequest](r, `{"by": "ann", "reason": "NATS is moved"}`, "by and reason as texts", "by, reason")
	if err != nil {
		return reply{}, err
	}
	stop := job.Stop{By: cmp.Or(asked.By, caller), At: a.cfg.Now().UTC(), Reason: asked.Reason}
	did, err := give(r.Context(), stop)
	if err != nil {
		return reply{}, err
	}
	a.cfg.Log.InfoContext(r.Context(), "an order was given over the API", "order", did.Order, "by", stop.By, "reason", stop.Reason,
		"round", did.Round, "changed", did.Changed)
	return reply{body: did}, nil
}

// pauseless refuses the reason of an order that is no pause: it would be shown nowhere.
func pauseless(stop job.Stop) error {
	if stop.Reason != "" {
		return wrong("reason", "is only for a pause; leave it out")
	}
	return nil
}

func (a *API) pause(r *http.Request) (reply, error) {
	return a.order(r, func(ctx context.Context, stop job.Stop) (view.Steered, error) {
		return steering.Pause(ctx, a.cfg.Bus, stop)
	})
}

func (a *API) resume(r *http.Request) (reply, error) {
	return a.order(r, func(ctx context.Context, stop job.Stop) (view.Steered, error) {
		if err := pauseless(stop); err != nil {
			return view.Steered{}, err
		}
		return steering.Resume(ctx, a.cfg.Bus)
	})
}

func (a *API) now(r *http.Request) (reply, error) {
	return a.order(r, func(ctx context.Context, stop job.Stop) (view.Steered, error) {
		if err := pauseless(stop); err != nil {
			return view.Steered{}, err
		}
		return steering.Now(ctx, a.cfg.Bus, job.Order{By: stop.By, At: stop.At})
	})
}

func (a *API) pauseRound(r *http.Request) (reply, error) {
	name, err := plainRound(r)
	if err != nil {
		return reply{}, err
	}
	return a.order(r, func(ctx context.Context, stop job.Stop) (view.Steered, error) {
		return steering.PauseRound(ctx, a.cfg.Bus, name, stop)
	})
}

func (a *API) resumeRound(r *http.Request) (reply, error) {
	name, err := plainRound(r)
	if err != nil {
		return reply{}, err
	}
	return a.order(r, func(ctx context.Context, stop job.Stop) (view.Steered, error) {
		if err := pauseless(stop); err != nil {
			return view.Steered{}, err
		}
		return steering.ResumeRound(ctx, a.cfg.Bus, name)
	})
}

// plainRound is the round of the path by its own name: "latest" is a concluded one, of which
// no job is left.
func plainRound(r *http.Request) (string, error) {
	name := r.PathValue("id")
	if name == view.Latest || !job.ValidRound(name) {
		return "", fmt.Errorf("%w: %.80q; an order names a round that runs", view.ErrNoRound, name)
	}
	return name, nil
}
