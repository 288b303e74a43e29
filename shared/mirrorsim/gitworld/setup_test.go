package gitworld_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/mirrorsim/gitworld"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWorld(t *testing.T, cfg gitworld.Config) *mirrorsim.World {
	t.Helper()
	w, err := gitworld.New(t.Context(), cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return w
}

// setup serves a world, and returns where.
func setup(t *testing.T, w *mirrorsim.World) string {
	t.Helper()
	server, err := mirrorsim.Start(t.Context(), mirrorsim.Config{World: w})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return server.URL
}

// reply is what came back; err is set when no whole answer did.
type reply struct {
	status int
	body   string
	err    error
}

// do sends one request, over a connection of its own.
func do(t *testing.T, method, url, body string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return reply{err: err}
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, string(data), err}
}

// decode reads a reply that must be one.
func decode(t *testing.T, r reply, into any) {
	t.Helper()
	if r.err != nil || r.status != http.StatusOK {
		t.Fatalf("status %d, error %v, body %s, want 200", r.status, r.err, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		t.Fatalf("decoding %.200s: %v", r.body, err)
	}
}

// round is what a fleet would load from a world of git.
type round struct {
	registry map[string]map[string]any
	pulls    map[string][]mirrorsim.Pull // by GitHub id
	files    map[string]mirrorsim.Files  // by owner/repo#n
}

// load asks for every miner's pull requests inside the lookback, and their files.
func load(t *testing.T, url string, w *mirrorsim.World) round {
	t.Helper()
	r := round{pulls: map[string][]mirrorsim.Pull{}, files: map[string]mirrorsim.Files{}}
	decode(t, reply{status: http.StatusOK, body: string(w.Registry)}, &r.registry)
	windows := map[string]time.Time{}
	for repo := range r.registry {
		windows[repo] = w.AsOf.AddDate(0, 0, -90)
	}
	body := must.Get(json.Marshal(map[string]any{"since_by_repo": windows}))(t)
	for _, m := range w.Miners {
		if m.GitHubID == "" {
			continue
		}
		var list struct {
			PullRequests []mirrorsim.Pull `json:"pull_requests"`
		}
		decode(t, do(t, http.MethodPost, url+"/api/v1/miners/"+m.GitHubID+"/pulls?limit=200", string(body)), &list)
		for _, pull := range list.PullRequests {
			r.pulls[m.GitHubID] = append(r.pulls[m.GitHubID], pull)
			var files mirrorsim.Files
			decode(t, do(t, http.MethodGet, fmt.Sprintf("%s/api/v1/pulls/%s/%d/files", url, pull.RepoFullName, pull.Number), ""), &files)
			r.files[mirrorsim.FilesKey(pull.RepoFullName, pull.Number)] = files
		}
	}
	return r
}
