package web

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"mirrorfleet/shared/telemetry"
)

// base is the prefix of all paths.
const base = "/api/v1"

// The paths whose answers contain a whole round: one of them is answered at a time, with a
// longer timeout.
const evaluationsPath, outcomePath = "/rounds/{id}/evaluations", "/rounds/{id}/outcome"

// The path that compares two of them.
const comparePath = "/rounds/{id}/compare"

// The paths that conclude a round again, from all of its evaluations: likewise.
const leversPath, whatIfPath = "/rounds/{id}/miners/{uid}/levers", "/rounds/{id}/miners/{uid}/what-if"

// handler answers a request, or says what is wrong with it.
type handler func(*http.Request) (reply, error)

// routes are the API's paths, with a handler for each method. HEAD is answered like GET.
func (a *API) routes() map[string]map[string]handler {
	get := func(h handler) map[string]handler { return map[string]handler{http.MethodGet: h} }
	return map[string]map[string]handler{
		base + "/openapi.json":                      get(describe),
		base + "/problems/{name}":                   get(explain),
		base + "/rounds":                            get(a.rounds),
		base + "/rounds/{id}":                       get(a.round),
		base + "/rounds/{id}/rewards":               get(a.rewards),
		base + evaluationsPath:                      get(a.evaluations),
		base + outcomePath:                          get(a.outcome),
		base + comparePath:                          get(a.compare),
		base + "/rounds/{id}/events":                get(a.events),
		base + "/rounds/{id}/jobs":                  get(a.jobs),
		base + "/rounds/{id}/miners/{uid}":          get(a.miner),
		base + "/rounds/{id}/miners/{uid}/job":      get(a.job),
		base + "/rounds/{id}/miners/{uid}/attempts": get(a.attempts),
		base + "/rounds/{id}/miners/{uid}/history":  get(a.history),
		base + leversPath:                           get(a.levers),
		base + whatIfPath:                           {http.MethodPost: a.whatIf},
		base + "/tokens":                            get(a.tokens),
		base + "/rounds/{id}/replay":                {http.MethodPost: a.replay},
		base + "/rounds/{id}/rescore":               {http.MethodPost: a.rescore},
		base + "/rounds/{id}/cancel":                {http.MethodPost: a.cancel},
		base + "/rounds/{id}/pause":                 {http.MethodPost: a.pauseRound},
		base + "/rounds/{id}/resume":                {http.MethodPost: a.resumeRound},
		base + "/schedule":                          get(a.schedule),
		base + "/schedule/pause":                    {http.MethodPost: a.pause},
		base + "/schedule/resume":                   {http.MethodPost: a.resume},
		base + "/schedule/now":                      {http.MethodPost: a.now},
		base + "/workers":                           get(a.workers),
		base + "/egresses":                          get(a.egresses),
		base + "/egresses/{name}/hold":              {http.MethodPost: a.hold},
		base + "/egresses/{name}/release":           {http.MethodPost: a.release},
		base + "/egresses/{name}/end-cool-down":     {http.MethodPost: a.endCoolDown},
		base + "/limit":                             get(a.limit),
	}
}

// Routes lists the API's routes as "METHOD /path".
func Routes() []string {
	var list []string
	for path, methods := range new(API).routes() {
		for method := range methods {
			list = append(list, method+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

// maxBody bounds the body of a request, in bytes. A list of all uids is a tenth of it.
const maxBody = 64 << 10

// errSlow ends a request whose time is over.
var errSlow = errors.New("the request took too long")

// serve answers one request, within its time and whatever happens.
func (a *API) serve(w http.ResponseWriter, r *http.Request, methods map[string]handler) {
	slots, timeout := a.slots, a.cfg.Timeout
	whole := []string{evaluationsPath, outcomePath, comparePath, leversPath, whatIfPath}
	if slices.ContainsFunc(whole, func(path string) bool { return strings.HasSuffix(r.Pattern, path) }) {
		slots, timeout = a.whole, a.cfg.WholeTimeout
	}
	limit := int64(maxBody)
	if strings.HasSuffix(r.Pattern, whatIfPath) {
		limit = maxWhatIf
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeout, errSlow)
	defer cancel()
	timed := r.WithContext(ctx)
	timed.Body = http.MaxBytesReader(w, r.Body, limit)
	answer, err := a.inTurn(timed, methods, slots)
	if err != nil {
		answer = a.refusal(timed, err)
	}
	if answer.stream != nil {
		a.stream(w, r, answer.stream)
		return
	}
	answer.write(w, r)
}

// mayOrder refuses a caller who may not order, and every caller if nobody may.
func (a *API) mayOrder(r *http.Request) error {
	switch {
	case !a.cfg.Guard.TakesOrders():
		return &problem{kind: noToken}
	case !a.cfg.Guard.Caller(r).Orders:
		return &problem{kind: unauthorized}
	}
	return nil
}

// inTurn checks whether the caller may read, then the path and the method, waits for a slot and calls the
// handler. The token comes first, so that a caller without one learns nothing of the paths.
func (a *API) inTurn(r *http.Request, methods map[string]handler, slots chan struct{}) (reply, error) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	if !a.cfg.Guard.Caller(r).Reads {
		return reply{}, &problem{kind: unauthorized}
	}
	handle, known := methods[method]
	switch {
	case methods == nil:
		return reply{}, &problem{kind: unknownPath, detail: "there is nothing at this path; " + base + "/openapi.json lists what there is"}
	case !known:
		return reply{}, notAllowed(methods)
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
		return a.guarded(r.Context(), r, handle)
	case <-r.Context().Done():
		return reply{}, &problem{kind: busy, detail: "too many requests are in work"}
	}
}

// guarded turns a handler's panic into an error, and logs it with its stack.
func (a *API) guarded(ctx context.Context, r *http.Request, handle handler) (_ reply, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			a.cfg.Log.ErrorContext(ctx, "a request of the API panicked", "path", r.URL.Path,
				"panic", telemetry.Scrub(text(cause)), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return handle(r)
}

func notAllowed(methods map[string]handler) *problem {
	allowed := slices.Sorted(maps.Keys(methods))
	if _, readable := methods[http.MethodGet]; readable {
		allowed = append(allowed, http.MethodHead)
	}
	list := strings.Join(allowed, ", ")
	return &problem{kind: methodNotAllowed, detail: "use " + list, allow: list}
}
