package dashboard

import (
	"context"
	"errors"
	"net/http"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/web"
)

// errSignIn says that reading needs a token, and that the caller has none.
var errSignIn = errors.New("reading needs a token")

// failure is the page of an error. What only the operator can correct is logged, once, and
// not shown, because it may reveal addresses and names of the installation.
func (d *Dashboard) failure(r *http.Request, err error) page {
	if errors.Is(err, errSignIn) {
		p := signInPage(r.URL.RequestURI(), "") // and back to what was asked for
		p.Status = http.StatusUnauthorized
		return p
	}
	problem := d.problemOf(r, err)
	told := errors.Is(err, errPanicked) || steering.Logged(err) || errors.Is(r.Context().Err(), context.Canceled)
	if problem.Status >= http.StatusInternalServerError && !told {
		d.cfg.Log.WarnContext(r.Context(), "a page of the dashboard could not be made",
			"path", r.URL.Path, "status", problem.Status, "error", err)
	}
	return page{
		Status:   problem.Status,
		Template: "failure",
		Title:    problem.Title,
		Body:     problem,
	}
}

func (d *Dashboard) problemOf(r *http.Request, err error) web.ProblemError {
	switch {
	case errors.Is(err, access.ErrForeignHost):
		return web.ProblemError{
			Status: http.StatusMisdirectedRequest,
			Title:  "This is not the name of the producer",
			Detail: err.Error(),
			Todo:   "Use the address that the producer has logged, or name the host in --api-hosts.",
		}
	case errors.Is(err, access.ErrCrossOrigin):
		return web.ProblemError{
			Status: http.StatusForbidden,
			Title:  "Another site has sent this request",
			Todo:   "If it was you, open the page here and give the order again.",
		}
	}
	p := web.ProblemOf(r.Context(), err)
	if p.Todo == web.AskAgain { // said to a program
		p.Todo = "See whether NATS and Redis run and can be reached; Health says what is wrong. Then load this page again. " +
			"Rounds resume when both answer."
	}
	return p
}

// refuse answers a request that never reaches a page.
func (d *Dashboard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	secured(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.write(w, r, d.failure(r, err)) })).ServeHTTP(w, r)
}
