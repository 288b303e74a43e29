package mirrorsim

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The routes, by their names in Stats.
const (
	RoutePulls       = "POST /api/v1/miners/{id}/pulls"
	RoutePullsSince  = "GET /api/v1/miners/{id}/pulls"
	RouteIssues      = "POST /api/v1/miners/{id}/issues"
	RouteOpenIssues  = "GET /api/v1/miners/{id}/issues"
	RouteFiles       = "GET /api/v1/pulls/{owner}/{repo}/{number}/files"
	RouteMaintainers = "GET /api/v1/repos/{owner}/{repo}/maintainers"
	RouteAllIssues   = "GET /api/v1/dashboard/issues"
	RouteHealth      = "GET /api/v1/health"
	RouteOther       = "other"
)

// stamp is how the mirror writes an instant.
const stamp = "2006-01-02T15:04:05.000Z"

// routes serves every request that the mirror answers, and the simulator's own.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for route, e := range map[string]endpoint{
		RoutePulls:       {miner("pulls"), s.windowed("pull_requests", func(w *World) map[string][]item { return w.pulls })},
		RoutePullsSince:  {miner("pulls"), s.pullsSince},
		RouteIssues:      {miner("issues"), s.windowed("issues", func(w *World) map[string][]item { return w.issues })},
		RouteOpenIssues:  {miner("open_issues"), s.openIssues},
		RouteFiles:       {filesKey, s.files},
		RouteMaintainers: {maintainersKey, s.maintainers},
		RouteAllIssues:   {func(*http.Request) string { return "all_issues" }, s.allIssues},
		RouteHealth:      {func(*http.Request) string { return "health" }, s.health},
	} {
		mux.Handle(route, s.handle(route, e))
	}
	// Everything else is a 404, also a known path with another method.
	mux.Handle("/", s.handle(RouteOther, endpoint{func(*http.Request) string { return "" }, unknownRoute}))
	s.control(mux)
	return mux
}

// miner is the request key of a miner's list.
func miner(kind string) func(*http.Request) string {
	return func(r *http.Request) string { return kind + ":" + r.PathValue("id") }
}

// repository is the path's owner/repo in lower case, in which the mirror compares names.
func repository(r *http.Request) string {
	return strings.ToLower(r.PathValue("owner") + "/" + r.PathValue("repo"))
}

// filesKey is the request key of a files request.
func filesKey(r *http.Request) string {
	return "files:" + repository(r) + "#" + r.PathValue("number")
}

// maintainersKey is the request key of a maintainers request.
func maintainersKey(r *http.Request) string { return "maintainers:" + repository(r) }

// windowed answers a list with a window for each repository.
func (s *Server) windowed(name string, lists func(*World) map[string][]item) func(*http.Request, []byte) answer {
	return func(r *http.Request, body []byte) answer {
		within, err := parseWindows(body)
		if err != nil {
			return refusal(http.StatusBadRequest, "%v", err)
		}
		world := s.world.Load()
		return world.list(r, name, lists(world)[r.PathValue("id")], within, nil)
	}
}

// pullsSince answers a miner's pull requests with one window for all.
func (s *Server) pullsSince(r *http.Request, _ []byte) answer {
	world := s.world.Load()
	since := world.AsOf.Add(-defaultWindow)
	if text := r.URL.Query().Get("since"); text != "" {
		at, err := parseDate(text)
		if err != nil {
			return refusal(http.StatusBadRequest, "since: %v", err)
		}
		since = at
	}
	return world.list(r, "pull_requests", world.pulls[r.PathValue("id")], lookback{all: since}, &since)
}

// openIssues answers a miner's open issues, whatever their age.
func (s *Server) openIssues(r *http.Request, _ []byte) answer {
	world := s.world.Load()
	return world.list(r, "issues", world.openIssues[r.PathValue("id")], lookback{}, nil)
}

// list answers one page of a miner's list. Items are sent byte for byte as the world has
// them.
func (w *World) list(r *http.Request, name string, all []item, within lookback, since *time.Time) answer {
	asked, err := parsePaging(r.URL.Query())
	if err != nil {
		return refusal(http.StatusBadRequest, "%v", err)
	}
	items := all
	if !w.asListed {
		items = slices.DeleteFunc(slices.Clone(all), func(it item) bool { return !within.allows(it) })
		if asked.asked {
			items = newestFirst(items)
		}
	}
	items, next, err := asked.page(items, r.Method+r.URL.Path+within.String())
	if err != nil {
		return refusal(http.StatusBadRequest, "%v", err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `{"github_id":%s,"since":%s,"generated_at":%q,%q:[`,
		encode(r.PathValue("id")), instant(since), w.AsOf.Format(stamp), name)
	for i, it := range items {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(it.raw)
	}
	out.WriteByte(']')
	if asked.asked {
		fmt.Fprintf(&out, `,"next_cursor":%s`, cursorOrNull(next))
	}
	out.WriteByte('}')
	return ok(out.Bytes())
}

// instant is a nullable instant as JSON.
func instant(at *time.Time) string {
	if at == nil {
		return "null"
	}
	return strconv.Quote(at.UTC().Format(stamp))
}

// cursorOrNull is next_cursor as JSON: null on the last page.
func cursorOrNull(cursor string) string {
	if cursor == "" {
		return "null"
	}
	return strconv.Quote(cursor)
}

// files answers a pull request's files.
func (s *Server) files(r *http.Request, _ []byte) answer {
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || number < 1 {
		return refusal(http.StatusBadRequest, "number %q: must be a positive integer", r.PathValue("number"))
	}
	key := FilesKey(repository(r), number)
	body, err := s.world.Load().filesOf(r.Context(), key)
	switch {
	case errors.Is(err, ErrUnknown):
		return refusal(http.StatusNotFound, "Pull request %s not found", key)
	case err != nil && r.Context().Err() != nil:
		return refusal(http.StatusInternalServerError, "the client has gone") // nobody reads it
	case err != nil:
		slog.ErrorContext(r.Context(), "mirrorsim: files cannot be read", "pull_request", key, "error", err)
		return refusal(http.StatusInternalServerError, "Internal server error")
	}
	return ok(body)
}

// maintainers answers a repository's maintainers; an unknown one has none.
func (s *Server) maintainers(r *http.Request, _ []byte) answer {
	world := s.world.Load()
	list := world.maintainers[repository(r)]
	parts := make([][]byte, len(list))
	for i, m := range list {
		parts[i] = m
	}
	return ok(fmt.Appendf(nil, `{"repo_full_name":%s,"generated_at":%q,"maintainers":[%s]}`,
		encode(r.PathValue("owner")+"/"+r.PathValue("repo")), world.AsOf.Format(stamp), bytes.Join(parts, []byte(","))))
}

// health is always ok. A test can make it fail like any other request.
func (s *Server) health(*http.Request, []byte) answer {
	return ok(fmt.Appendf(nil, `{"status":"ok","generated_at":%q}`, s.world.Load().AsOf.Format(stamp)))
}

// unknownRoute is the 404 of a path that the mirror does not have.
func unknownRoute(r *http.Request, _ []byte) answer {
	return refusal(http.StatusNotFound, "Cannot %s %s", r.Method, r.URL.Path)
}
