package web

import (
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

// giver is who gives the order of a request.
func (a *API) giver(r *http.Request, by, reason string) steering.Giver {
	caller := a.cfg.Guard.Caller(r)
	return steering.Giver{
		Name:   caller.Name,
		From:   caller.From,
		By:     by,
		Reason: reason,
	}
}

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
func (a *API) order(r *http.Request, reasons bool, give func(context.Context, steering.Giver) (view.Steered, error)) (reply, error) {
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
	if asked.Reason != "" && !reasons { // it would be shown nowhere
		return reply{}, wrong("reason", "is only for a pause; leave it out")
	}
	did, err := give(r.Context(), a.giver(r, asked.By, asked.Reason))
	return reply{body: did}, err
}

func (a *API) pause(r *http.Request) (reply, error) { return a.order(r, true, a.cfg.Operator.Pause) }

func (a *API) resume(r *http.Request) (reply, error) { return a.order(r, false, a.cfg.Operator.Resume) }

func (a *API) now(r *http.Request) (reply, error) { return a.order(r, false, a.cfg.Operator.Now) }

func (a *API) pauseRound(r *http.Request) (reply, error) {
	return a.orderRound(r, true, a.cfg.Operator.PauseRound)
}

func (a *API) resumeRound(r *http.Request) (reply, error) {
	return a.orderRound(r, false, a.cfg.Operator.ResumeRound)
}

func (a *API) orderRound(
	r *http.Request, reasons bool, give func(context.Context, steering.Giver, string) (view.Steered, error),
) (reply, error) {
	name, err := plainRound(r)
	if err != nil {
		return reply{}, err
	}
	return a.order(r, reasons, func(ctx context.Context, g steering.Giver) (view.Steered, error) { return give(ctx, g, name) })
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
