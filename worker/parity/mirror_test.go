package parity_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/mirror"
)

// startMirror serves a round of a world as it stands: windows were applied when
// it was recorded. What the round fails gets an answer that is final, so that
// nobody tries again.
func startMirror(tb testing.TB, w *world, r round) *mirror.Client {
	tb.Helper()
	fails := make([]string, len(r.Fail))
	for i, key := range r.Fail {
		fails[i] = strings.ToLower(key)
	}
	mux := http.NewServeMux()
	serve := func(pattern string, answer func(*http.Request) (key string, body any)) {
		mux.HandleFunc(pattern, func(rw http.ResponseWriter, req *http.Request) {
			key, body := answer(req)
			switch {
			case slices.Contains(fails, strings.ToLower(key)):
				http.Error(rw, `{"statusCode":400}`, http.StatusBadRequest)
			case body == nil:
				http.Error(rw, `{"statusCode":404}`, http.StatusNotFound)
			default:
				rw.Header().Set("Content-Type", "application/json")
				if err := json.NewEncoder(rw).Encode(body); err != nil {
					tb.Errorf("serving %s: %v", key, err)
				}
			}
		})
	}
	list := func(kind, field string, lists map[string][]json.RawMessage) func(*http.Request) (string, any) {
		return func(req *http.Request) (string, any) {
			id := req.PathValue("id")
			return kind + ":" + id, map[string]any{"github_id": id, field: lists[id]}
		}
	}
	serve("POST /api/v1/miners/{id}/pulls", list("pulls", "pull_requests", w.Mirror.Pulls))
	serve("POST /api/v1/miners/{id}/issues", list("issues", "issues", w.Mirror.Issues))
	serve("GET /api/v1/miners/{id}/issues", list("open_issues", "issues", w.Mirror.OpenIssues))
	files := lowered(w.Mirror.Files)
	serve("GET /api/v1/pulls/{owner}/{repo}/{number}/files", func(req *http.Request) (string, any) {
		key := strings.ToLower(req.PathValue("owner") + "/" + req.PathValue("repo") + "#" + req.PathValue("number"))
		if answer, found := files[key]; found {
			return "files:" + key, answer
		}
		return "files:" + key, nil
	})
	maintainers := lowered(w.Mirror.Maintainers)
	serve("GET /api/v1/repos/{owner}/{repo}/maintainers", func(req *http.Request) (string, any) {
		name := strings.ToLower(req.PathValue("owner") + "/" + req.PathValue("repo"))
		return "maintainers:" + name, map[string]any{"repo_full_name": name, "maintainers": maintainers[name]}
	})
	server := httptest.NewServer(mux)
	client, err := mirror.New(mirror.Config{
		BaseURL: server.URL, Meter: unmetered{tb}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { client.Close(); server.Close() })
	return client
}

func lowered[T any](m map[string]T) map[string]T {
	low := make(map[string]T, len(m))
	for key, value := range m {
		low[strings.ToLower(key)] = value
	}
	return low
}

// unmetered grants every permit: what is tested here is what answers mean.
type unmetered struct{ t testing.TB }

func (unmetered) Permit(context.Context) (time.Time, error) { return time.Now().Add(time.Hour), nil }

func (u unmetered) CoolDown(context.Context, time.Duration) error {
	u.t.Error("the client cooled down, but nothing throttled it")
	return nil
}
