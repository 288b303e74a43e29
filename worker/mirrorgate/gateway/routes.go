package gateway

import (
	"net/http"
	"path"
	"slices"
	"strings"
)

// api lists the requests that the mirror accepts: docs/rules/mirror.md.
//
//nolint:gochecknoglobals // a table
var api = map[string][]string{
	"/api/v1/miners/{id}/pulls":                {http.MethodGet, http.MethodPost},
	"/api/v1/miners/{id}/issues":               {http.MethodGet, http.MethodPost},
	"/api/v1/pulls/{owner}/{repo}/{id}/files":  {http.MethodGet},
	"/api/v1/repos/{owner}/{repo}/maintainers": {http.MethodGet},
	"/api/v1/dashboard/issues":                 {http.MethodGet},
	"/api/v1/health":                           {http.MethodGet},
}

// routes finds the route of a request.
func routes() *http.ServeMux {
	mux := http.NewServeMux()
	for route := range api {
		mux.Handle(route, http.NotFoundHandler()) // only the pattern is asked for
	}
	return mux
}

// admit returns the route of a request, or why the mirror has no such request.
func (g *Gateway) admit(r *http.Request) (route string, p *problem) {
	switch {
	case r.Method == http.MethodConnect:
		return "", refuse(http.StatusMethodNotAllowed, "this is a gateway to the mirror and no proxy to others: "+
			"set the mirror's address to it, and no proxy").allow(http.MethodGet, http.MethodPost)
	case r.URL.IsAbs() || r.URL.Host != "":
		return "", refuse(http.StatusBadRequest, "the request is for another address: this is a gateway to the mirror and no proxy to others")
	case r.Header.Get("Upgrade") != "":
		return "", refuse(http.StatusBadRequest, "the connection cannot become another one: ask without Upgrade")
	case r.URL.RawPath != "" || path.Clean(r.URL.Path) != r.URL.Path || strings.ContainsFunc(r.URL.Path, outside):
		return "", unknown()
	}
	if _, route = g.routes.Handler(r); route == "" {
		return "", unknown()
	}
	methods := api[route]
	if !slices.Contains(methods, r.Method) && (r.Method != http.MethodHead || !slices.Contains(methods, http.MethodGet)) {
		return "", refuse(http.StatusMethodNotAllowed, "the mirror has no such method here").allow(methods...)
	}
	return route, nil
}

func unknown() *problem {
	return refuse(http.StatusNotFound, "the mirror has nothing at this path; what it has is under /api/v1/")
}

// outside says whether a character occurs in no path of the mirror's.
func outside(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("/-_.", c)
}
