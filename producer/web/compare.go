package web

import (
	"context"
	"fmt"
	"net/http"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
)

// maxRevision bounds the number of a revision in a query.
const maxRevision = 1_000_000

// compare answers with what a revision of a round's outcome has changed from another one.
func (a *API) compare(r *http.Request) (reply, error) {
	query, err := params(r, "from", "to")
	if err != nil {
		return reply{}, err
	}
	from, err := whole(query, "from", 0, maxRevision)
	if err != nil {
		return reply{}, err
	}
	to, err := whole(query, "to", 0, maxRevision)
	if err != nil {
		return reply{}, err
	}
	name, err := a.roundName(r)
	if err != nil {
		return reply{}, err
	}
	two, err := view.ToCompare(r.Context(), a.cfg.Bus, name, from, to)
	if err != nil {
		return reply{}, err
	}
	tag := fmt.Sprintf(`W/"%s.%d.%d"`, name, two.From.Revision, two.To.Revision)
	if fresh(r, tag) {
		return unchanged(tag), nil
	}
	c, err := two.Compare(r.Context(), func(ctx context.Context, at view.OutcomeRef) (outcome.Result, error) {
		return view.Read(ctx, a.cfg.Bus, at)
	})
	return reply{body: c, tag: tag}, err
}

// history answers with what a miner got in the last rounds.
func (a *API) history(r *http.Request) (reply, error) {
	name, uid, err := a.minerOf(r, a.roundName)
	if err != nil {
		return reply{}, err
	}
	hotkey, err := view.HotkeyOf(r.Context(), a.cfg.Bus, name, uid)
	if err != nil {
		return reply{}, err
	}
	past, err := a.pasts.Of(r.Context(), a.cfg.Bus, name, uid, hotkey)
	return reply{body: past}, err
}
