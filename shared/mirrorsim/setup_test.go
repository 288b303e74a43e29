package mirrorsim_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/mirrorsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var asOf = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)

// bundle is a server with a client of its own.
type bundle struct {
	t      *testing.T
	server *mirrorsim.Server
	client *http.Client
}

// setup serves a world, the small one when the configuration names none.
func setup(t *testing.T, cfg mirrorsim.Config) *bundle {
	t.Helper()
	if cfg.World == nil {
		cfg.World = smallWorld()
	}
	server, err := mirrorsim.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return &bundle{t, server, &http.Client{Transport: transport}}
}

// smallWorld is one miner, 7, with five pull requests and two issues, and one
// pull request with files.
func smallWorld() *mirrorsim.World {
	w := mirrorsim.NewWorld("small", asOf)
	for day := 1; day <= 5; day++ {
		created := asOf.AddDate(0, 0, -10*day)
		p := mirrorsim.Pull{RepoFullName: "Acme/Rocket", Number: day, State: "OPEN", CreatedAt: created, AuthorGitHubID: "7"}
		if day%2 == 0 {
			p.State, p.MergedAt = "MERGED", new(created.AddDate(0, 0, 5))
		}
		w.AddPull("7", p)
	}
	w.AddPull("7", mirrorsim.Pull{RepoFullName: "acme/other", Number: 9, State: "OPEN", CreatedAt: asOf.AddDate(0, 0, -1), AuthorGitHubID: "7"})
	w.AddIssue("7", mirrorsim.Issue{RepoFullName: "acme/rocket", Number: 20, State: "OPEN", CreatedAt: new(asOf.AddDate(0, 0, -50))})
	w.AddIssue("7", mirrorsim.Issue{
		RepoFullName: "acme/rocket", Number: 21, State: "CLOSED", CreatedAt: new(asOf.AddDate(0, 0, -50)), ClosedAt: new(asOf.AddDate(0, 0, -2)),
	})
	head := "package a\n"
	w.AddFiles(mirrorsim.Files{RepoFullName: "Acme/Rocket", Number: 2, ScoringDataStored: true, Files: []mirrorsim.File{
		{Filename: "a.go", Status: "added", Additions: 1, Changes: 1, HeadContent: &head},
	}})
	return w
}

// reply is what came back; err is set when no whole answer did.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

// do sends one request.
func (b *bundle) do(method, path, body string) reply {
	b.t.Helper()
	return b.doIn(b.t.Context(), method, path, body)
}

func (b *bundle) doIn(ctx context.Context, method, path, body string) reply {
	b.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatalf("request %s %s: %v", method, path, err)
	}
	response, err := b.client.Do(request)
	if err != nil {
		return reply{err: err}
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(data), err}
}

// listAnswer is the answer of the four miner lists.
type listAnswer struct {
	GitHubID     string            `json:"github_id"`
	Since        *string           `json:"since"`
	GeneratedAt  string            `json:"generated_at"`
	PullRequests []json.RawMessage `json:"pull_requests"`
	Issues       []json.RawMessage `json:"issues"`
	NextCursor   *string           `json:"next_cursor"`
}

// list sends a request for a list that must succeed.
func (b *bundle) list(method, path, body string) listAnswer {
	b.t.Helper()
	r := b.do(method, path, body)
	if r.err != nil || r.status != http.StatusOK {
		b.t.Fatalf("%s %s: status %d, error %v, body %s, want 200", method, path, r.status, r.err, r.body)
	}
	var answer listAnswer
	decode(b.t, r.body, &answer)
	return answer
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("decoding %.200s: %v", text, err)
	}
}

// numbers are the numbers of pull requests or issues in a list.
func numbers(t *testing.T, items []json.RawMessage) []int {
	t.Helper()
	found := []int{}
	for _, raw := range items {
		var item struct {
			Pull  int `json:"pr_number"`
			Issue int `json:"issue_number"`
		}
		if err := json.Unmarshal(raw, &item); err != nil {
			t.Fatalf("item %s: %v", raw, err)
		}
		found = append(found, item.Pull+item.Issue)
	}
	return found
}

// since is the body of a windowed request for acme/rocket.
func since(days int) string {
	return `{"since_by_repo": {"acme/ROCKET": "` + asOf.AddDate(0, 0, -days).Format(time.RFC3339) + `"}}`
}
