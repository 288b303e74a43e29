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

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
)

// replayRequest is the body of a replay, with what `producer replay` takes as flags. An
// empty body selects all dead and degraded miners and those of unknown identity.
type replayRequest struct {
	UIDs     []int     `json:"uids"`
	Class    job.Class `json:"class"`
	Degraded bool      `json:"degraded"`
	DryRun   bool      `json:"dry_run"`
}

// replay starts a replay and answers 202 with what it will run, or, for a dry run, answers
// 200 with what it would run. The replay outlasts the request.
func (a *API) replay(r *http.Request) (reply, error) {
	if err := a.mayReplay(r); err != nil {
		return reply{}, err
	}
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	asked, err := readReplayRequest(r.Body)
	if err != nil {
		return reply{}, err
	}
	at, err := a.outcomeRef(r)
	if err != nil {
		return reply{}, err
	}
	selection := outcome.Selection{UIDs: asked.UIDs, Class: asked.Class, Degraded: asked.Degraded}
	chosen, err := view.ReplayOf(r.Context(), a.cfg.Bus, at, selection, asked.DryRun)
	if err != nil || asked.DryRun {
		return reply{body: chosen}, err
	}
	if err := a.replays.start(at.Round, selection); err != nil {
		return reply{}, err
	}
	a.cfg.Log.InfoContext(r.Context(), "a replay was asked for", "round", at.Round, "miners", len(chosen.Chosen))
	return reply{status: http.StatusAccepted, body: chosen, header: map[string]string{"Location": base + "/rounds/" + at.Round}}, nil
}

// readReplayRequest reads a body strictly: a misspelt field must not replay everything.
func readReplayRequest(body io.Reader) (replayRequest, error) {
	data, err := io.ReadAll(body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return replayRequest{}, &problem{kind: tooLarge, detail: fmt.Sprintf("want at most %d bytes", large.Limit)}
	case err != nil:
		return replayRequest{}, &problem{kind: badRequest, detail: "the body ended too early"}
	case len(bytes.TrimSpace(data)) == 0:
		return replayRequest{}, nil
	}
	var asked replayRequest
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return replayRequest{}, misread(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return replayRequest{}, &problem{kind: badRequest, detail: "want one JSON object and nothing after it"}
	}
	return asked, asked.check()
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

func (asked replayRequest) check() error {
	classes := outcome.Classes()
	for i, uid := range asked.UIDs {
		if uid < 0 {
			return wrong(fmt.Sprintf("uids[%d]", i), "%d: want a whole number from 0", uid)
		}
	}
	if asked.Class != "" && !slices.Contains(classes, asked.Class) {
		return wrong("class", "%.80q: want one of %v", asked.Class, classes)
	}
	return nil
}
