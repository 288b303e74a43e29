package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
)

// order is the body of a replay: what `producer replay` takes as flags. An
// empty one is for all dead and degraded miners and those of unknown identity.
type order struct {
	UIDs     []int     `json:"uids"`
	Class    job.Class `json:"class"`
	Degraded bool      `json:"degraded"`
	DryRun   bool      `json:"dry_run"`
}

// replay starts a replay, or says what it would run.
func (a *API) replay(r *http.Request) (reply, error) {
	if err := a.mayOrder(r); err != nil {
		return reply{}, err
	}
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	o, err := readOrder(r.Body)
	if err != nil {
		return reply{}, err
	}
	at, err := a.place(r)
	if err != nil {
		return reply{}, err
	}
	selection := round.Selection{UIDs: o.UIDs, Class: o.Class, Degraded: o.Degraded}
	chosen, err := view.ReplayOf(r.Context(), a.cfg.Bus, at, selection, o.DryRun)
	if err != nil || o.DryRun {
		return reply{body: chosen}, err
	}
	if err := a.replays.start(at.Round, selection); err != nil {
		return reply{}, err
	}
	a.cfg.Log.InfoContext(r.Context(), "a replay was asked for", "round", at.Round, "miners", len(chosen.Chosen))
	return reply{status: http.StatusAccepted, body: chosen, header: map[string]string{"Location": base + "/rounds/" + at.Round}}, nil
}

// readOrder reads a body strictly: a misspelt field must not replay everything.
func readOrder(body io.Reader) (order, error) {
	data, err := io.ReadAll(body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return order{}, &problem{kind: tooLarge, detail: fmt.Sprintf("want at most %d bytes", large.Limit)}
	case err != nil:
		return order{}, &problem{kind: badRequest, detail: "the body broke off"}
	case len(bytes.TrimSpace(data)) == 0:
		return order{}, nil
	}
	var o order
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return order{}, misread(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return order{}, &problem{kind: badRequest, detail: "want one JSON object and nothing behind it"}
	}
	return o, o.check()
}

// misread says which field of a body cannot be read.
func misread(err error) *problem {
	var typed *json.UnmarshalTypeError
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &typed) && typed.Field != "":
		return wrong(typed.Field, "is a %s; want uids as a list of whole numbers, class as a text, degraded and dry_run as true or false",
			typed.Value)
	case unknown:
		return wrong(fmt.Sprintf("%.80s", strings.Trim(name, `"`)), "is unknown; there are uids, class, degraded, dry_run")
	}
	return &problem{kind: badRequest, detail: `want a JSON object such as {"uids": [5, 17], "dry_run": true}`}
}

func (o order) check() error {
	classes := round.Classes()
	for i, uid := range o.UIDs {
		if uid < 0 {
			return wrong(fmt.Sprintf("uids[%d]", i), "%d: want a whole number from 0", uid)
		}
	}
	if o.Class != "" && !slices.Contains(classes, o.Class) {
		return wrong("class", "%.80q: want one of %v", o.Class, classes)
	}
	return nil
}
