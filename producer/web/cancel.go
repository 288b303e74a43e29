package web

import "net/http"

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
	stands, err := a.cfg.Operator.Cancel(r.Context(), a.giver(r, asked.By, asked.Reason), name, asked.UIDs)
	return reply{status: http.StatusAccepted, body: stands, header: map[string]string{"Location": base + "/rounds/" + name}}, err
}
