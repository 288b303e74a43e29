package web

import (
	"net/http"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/ratelimit"
)

// holdRequest is the body of a hold.
type holdRequest struct {
	Length string `json:"length"`
	By     string `json:"by"`
	Reason string `json:"reason"`
}

func (asked holdRequest) check() error {
	length, err := time.ParseDuration(asked.Length)
	if err != nil || length < ratelimit.MinHold || length > ratelimit.MaxHold {
		return wrong("length", "%.80q: want %s to %s, such as 5m", asked.Length, ratelimit.MinHold, ratelimit.MaxHold)
	}
	return checkGiven(asked.By, asked.Reason)
}

// endRequest is the body of an order to end a cool-down. Confirm is the egress's name.
type endRequest struct {
	Confirm string `json:"confirm"`
	By      string `json:"by"`
	Reason  string `json:"reason"`
}

func (asked endRequest) check() error { return checkGiven(asked.By, asked.Reason) }

// toEgress reads an order to the egress of the path, and answers with its bucket as it is
// after the order.
func toEgress[T order](
	a *API, r *http.Request, example, fields, names string, give func(egress string, asked T) (view.Bucket, error),
) (reply, error) {
	if err := a.mayOrder(r); err != nil {
		return reply{}, err
	}
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	egress := r.PathValue("name")
	if err := ratelimit.CheckEgress(egress); err != nil {
		return reply{}, wrong("name", "%v", err)
	}
	asked, err := readOrder[T](r, example, fields, names)
	if err != nil {
		return reply{}, err
	}
	bucket, err := give(egress, asked)
	return reply{body: bucket}, err
}

// hold stops an egress for a time.
func (a *API) hold(r *http.Request) (reply, error) {
	return toEgress(a, r, `{"length": "5m", "reason": "the mirror moves"}`, "length, by and reason as texts", "length, by, reason",
		func(egress string, asked holdRequest) (view.Bucket, error) {
			length, _ := time.ParseDuration(asked.Length) // check has parsed it
			return a.cfg.Operator.Hold(r.Context(), a.giver(r, asked.By, asked.Reason), egress, length)
		})
}

// release ends a hold.
func (a *API) release(r *http.Request) (reply, error) {
	return toEgress(a, r, `{"by": "ann"}`, "by and reason as texts", "by, reason",
		func(egress string, asked orderRequest) (view.Bucket, error) {
			return a.cfg.Operator.Release(r.Context(), a.giver(r, asked.By, asked.Reason), egress)
		})
}

// endCoolDown ends a cool-down. Without the egress's name as confirmation it only says what
// that risks.
func (a *API) endCoolDown(r *http.Request) (reply, error) {
	return toEgress(a, r, `{"confirm": "eu-1"}`, "confirm, by and reason as texts", "confirm, by, reason",
		func(egress string, asked endRequest) (view.Bucket, error) {
			if asked.Confirm == egress {
				return a.cfg.Operator.EndCoolDown(r.Context(), a.giver(r, asked.By, asked.Reason), egress)
			}
			risk, err := a.cfg.Operator.CoolDownRisk(r.Context(), egress)
			if err != nil {
				return view.Bucket{}, err
			}
			return view.Bucket{}, &problem{kind: unconfirmed, detail: risk + `; then send {"confirm": "` + egress + `"}`}
		})
}
