package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/problems"
	"mirrorfleet/shared/telemetry"
)

// again is the Retry-After of a 503, in seconds. The default limit serves two dozen requests
// in that time.
const again = 5

// problem is the refusal of a request that gets no answer from the mirror.
type problem struct {
	status  int
	detail  string
	methods []string // for the header Allow
}

func refuse(status int, detail string) *problem { return &problem{status: status, detail: detail} }

func (p *problem) allow(methods ...string) *problem {
	p.methods = methods
	return p
}

// write sends the refusal. The client may have gone.
func (p *problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", problems.ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(again))
	}
	if p.methods != nil {
		h.Set("Allow", strings.Join(p.methods, ", "))
	}
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(problems.Document{ //nolint:errchkjson // texts and a number
		Type:   problems.Untyped,
		Title:  http.StatusText(p.status),
		Status: p.status,
		Detail: p.detail,
	})
}

// errAnswerTooLarge is an answer over MaxAnswer.
var errAnswerTooLarge = errors.New("gateway: the mirror's answer is larger than --max-answer")

// failed answers a request that the mirror did not answer. Only the log has the cause, which
// may reveal more about this machine than a client should know.
func (g *Gateway) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		w.WriteHeader(http.StatusBadGateway) // nobody reads it
		return
	}
	p := problemOf(err)
	g.cfg.Log.WarnContext(r.Context(), "a request got no answer of the mirror's", "path", r.URL.Path, "status", p.status, "error", err)
	p.write(w)
}

func problemOf(err error) *problem {
	request, tried := errors.AsType[*mirror.RequestError](err)
	switch {
	case errors.Is(err, mirror.ErrWaited):
		return refuse(http.StatusServiceUnavailable, "no permit came in time: others use the mirror's limit")
	case errors.Is(err, mirror.ErrClosed):
		return refuse(http.StatusServiceUnavailable, "the gateway ends")
	case errors.Is(err, errAnswerTooLarge):
		return refuse(http.StatusBadGateway, "the mirror's answer is too large")
	case tried && request.Status == http.StatusTooManyRequests:
		return refuse(http.StatusServiceUnavailable, "the mirror throttles this address")
	case tried:
		return refuse(http.StatusBadGateway, "the mirror gave no usable answer")
	}
	return refuse(http.StatusServiceUnavailable, "the gateway cannot ask the mirror")
}

// outcomeOf says how the wait of a request ended that got no permit.
func outcomeOf(ctx context.Context, err error) string {
	switch {
	case ctx.Err() != nil:
		return telemetry.WaitGone
	case errors.Is(err, mirror.ErrWaited):
		return telemetry.WaitTimedOut
	}
	return telemetry.WaitFailed
}
