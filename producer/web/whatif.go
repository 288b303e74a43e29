package web

import (
	"errors"
	"net/http"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/scoring/whatif"
)

// maxWhatIf bounds the body of a what-if, in bytes: it may have a registry of some thousand
// repositories.
const maxWhatIf = 1 << 20

// whatIfRequest is the body of a what-if.
type whatIfRequest whatif.Asked

// check leaves the changes to package whatif, which knows the round.
func (whatIfRequest) check() error { return nil }

// levers answers with what would raise a miner's reward.
func (a *API) levers(r *http.Request) (reply, error) {
	uid, err := uidOf(r)
	if err != nil {
		return reply{}, err
	}
	return a.told(r, func(result outcome.Result) (any, error) { return view.LeversOf(r.Context(), a.cfg.Bus, result, uid) })
}

// whatIf answers with the round as it would be with some changes. It stores nothing, so
// every reader may ask.
func (a *API) whatIf(r *http.Request) (reply, error) {
	uid, err := uidOf(r)
	if err != nil {
		return reply{}, err
	}
	asked, err := readOrder[whatIfRequest](r, `{"merge": ["owner/repo#7"]}`, "a list of texts", whatIfNames())
	if err != nil {
		return reply{}, err
	}
	at, err := a.outcomeRef(r)
	if err != nil {
		return reply{}, err
	}
	result, err := view.Read(r.Context(), a.cfg.Bus, at)
	if err != nil {
		return reply{}, err
	}
	changed, err := view.WhatIfOf(r.Context(), a.cfg.Bus, result, uid, whatif.Asked(asked))
	if syntax, is := errors.AsType[*whatif.SyntaxError](err); is {
		return reply{}, wrong(string(syntax.Kind), "%.80q: want %s", syntax.Text, syntax.Want)
	}
	return reply{body: changed}, err
}

// whatIfNames lists the fields of a what-if.
func whatIfNames() string {
	names := []string{"registry"}
	for _, kind := range whatif.Kinds() {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}
