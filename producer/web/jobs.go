package web

import (
	"net/http"

	"mirrorfleet/producer/view"
)

// jobs answers with how a round and each of its jobs stand, as `producer show` prints a round
// that has no outcome yet. It answers for one that has, too.
func (a *API) jobs(r *http.Request) (reply, error) {
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	name, err := a.plannedName(r)
	if err != nil {
		return reply{}, err
	}
	now, err := view.NowOf(r.Context(), a.cfg.Bus, name, a.cfg.Now())
	return reply{body: now}, err
}

// job answers with how the job of a miner stands, likewise.
func (a *API) job(r *http.Request) (reply, error) {
	name, uid, err := a.minerOf(r, a.plannedName)
	if err != nil {
		return reply{}, err
	}
	now, err := view.JobNowOf(r.Context(), a.cfg.Bus, name, uid, a.cfg.Now())
	return reply{body: now}, err
}
