package web

import (
	"net/http"
	"slices"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
)

// replayRequest is the body of a replay, with what `producer replay` takes as flags. An
// empty body selects all dead and degraded miners and those of unknown identity.
type replayRequest struct {
	UIDs     []int     `json:"uids"`
	Class    job.Class `json:"class"`
	Degraded bool      `json:"degraded"`
	Like     string    `json:"like"`
	Rules    string    `json:"rules"`
	DryRun   bool      `json:"dry_run"`
}

// replay starts a replay and answers 202 with what it will run, or, for a dry run, answers
// 200 with what it would run. The replay outlasts the request.
func (a *API) replay(r *http.Request) (reply, error) {
	if err := a.mayOrder(r); err != nil {
		return reply{}, err
	}
	asked, err := readOrder[replayRequest](r, `{"uids": [5, 17], "dry_run": true}`,
		"uids as a list of whole numbers, class, like and rules as texts, degraded and dry_run as true or false",
		"uids, class, degraded, like, rules, dry_run")
	if err != nil {
		return reply{}, err
	}
	return a.again(r, outcome.Selection{
		UIDs:         asked.UIDs,
		Class:        asked.Class,
		Degraded:     asked.Degraded,
		Like:         asked.Like,
		CurrentRules: asked.Rules == currentRules,
	}, asked.DryRun)
}

// again runs the selected miners of the round of the path again.
func (a *API) again(r *http.Request, selection outcome.Selection, dryRun bool) (reply, error) {
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	name, err := a.roundName(r)
	if err != nil {
		return reply{}, err
	}
	chosen, err := a.cfg.Operator.Replay(r.Context(), a.giver(r, "", ""), name, selection, dryRun)
	if err != nil || dryRun {
		return reply{body: chosen}, err
	}
	return reply{status: http.StatusAccepted, body: chosen, header: map[string]string{"Location": base + "/rounds/" + chosen.Round}}, nil
}

func (asked replayRequest) check() error {
	classes := outcome.Classes()
	if err := checkUIDs(asked.UIDs); err != nil {
		return err
	}
	if asked.Class != "" && !slices.Contains(classes, asked.Class) {
		return wrong("class", "%.80q: want one of %v", asked.Class, classes)
	}
	return checkRules(asked.Rules)
}

// currentRules is the one value of the field rules.
const currentRules = "current"

func checkRules(rules string) error {
	if rules != "" && rules != currentRules {
		return wrong("rules", "%.80q: want %q, or none", rules, currentRules)
	}
	return nil
}

// rescoreRequest is the body of a rescore.
type rescoreRequest struct {
	UIDs   []int  `json:"uids"`
	Rules  string `json:"rules"`
	DryRun bool   `json:"dry_run"`
}

func (asked rescoreRequest) check() error {
	if len(asked.UIDs) == 0 {
		return wrong("uids", "is missing: want a list of the miners, such as [5, 17]")
	}
	if err := checkUIDs(asked.UIDs); err != nil {
		return err
	}
	return checkRules(asked.Rules)
}

// rescore is replay for miners that are named, whatever their jobs came to.
func (a *API) rescore(r *http.Request) (reply, error) {
	if err := a.mayOrder(r); err != nil {
		return reply{}, err
	}
	asked, err := readOrder[rescoreRequest](r, `{"uids": [5, 17]}`,
		"uids as a list of whole numbers, rules as a text, dry_run as true or false", "uids, rules, dry_run")
	if err != nil {
		return reply{}, err
	}
	return a.again(r, outcome.Selection{UIDs: asked.UIDs, Rescore: true, CurrentRules: asked.Rules == currentRules}, asked.DryRun)
}
