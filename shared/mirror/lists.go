package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mirrorfleet/shared/scoring"
)

const (
	// pageSize is the most items that the mirror puts on a page.
	pageSize = 200
	// maxWindows is the most repositories that one request may name.
	maxWindows = 200
)

// Pulls lists a miner's pull requests in each repository since its instant, in
// the order in which the mirror sends them: page after page, and for more than
// 200 repositories the first 200 by name before the others. No repositories
// have no pull requests, and nothing is asked.
func (c *Client) Pulls(ctx context.Context, githubID string, windows map[string]time.Time) (Answer[scoring.PullRequest], error) {
	return windowed(ctx, c, list[scoring.PullRequest]{
		id:     githubID,
		route:  "/api/v1/miners/{github_id}/pulls",
		path:   "/api/v1/miners/" + githubID + "/pulls",
		field:  "pull_requests",
		number: "pr_number",
		decode: decodePullRequest,
	}, windows)
}

// Issues lists a miner's issues in each repository: the open ones created and
// the closed ones closed since its instant. The order is as with Pulls.
func (c *Client) Issues(ctx context.Context, githubID string, windows map[string]time.Time) (Answer[scoring.Issue], error) {
	return windowed(ctx, c, issues(githubID), windows)
}

// OpenIssues lists all of a miner's issues that are open now.
func (c *Client) OpenIssues(ctx context.Context, githubID string) (Answer[scoring.Issue], error) {
	return pages(ctx, c, issues(githubID), http.MethodGet, nil)
}

func issues(githubID string) list[scoring.Issue] {
	return list[scoring.Issue]{
		id:     githubID,
		route:  "/api/v1/miners/{github_id}/issues",
		path:   "/api/v1/miners/" + githubID + "/issues",
		field:  "issues",
		number: "issue_number",
		decode: decodeIssue,
	}
}

// list is one of the lists of a miner.
type list[T any] struct {
	id, route, path string
	// field holds the items; number names the field that identifies one.
	field, number string
	decode        func(item) (T, error)
}

// windowed asks for at most as many repositories at once as the mirror takes.
func windowed[T any](ctx context.Context, c *Client, l list[T], windows map[string]time.Time) (Answer[T], error) {
	var all Answer[T]
	for names := range slices.Chunk(slices.Sorted(maps.Keys(windows)), maxWindows) {
		since := make(map[string]string, len(names))
		for _, name := range names {
			since[name] = windows[name].UTC().Format(time.RFC3339Nano)
		}
		body, err := json.Marshal(map[string]any{"since_by_repo": since})
		if err != nil {
			return all, fmt.Errorf("mirror: encoding the windows: %w", err)
		}
		part, err := pages(ctx, c, l, http.MethodPost, body)
		if err != nil {
			return Answer[T]{}, err
		}
		all = all.with(part)
	}
	return all, nil
}

func (a Answer[T]) with(more Answer[T]) Answer[T] {
	return Answer[T]{append(a.Items, more.Items...), append(a.Malformed, more.Malformed...)}
}

// errPages is a list that does not end.
var errPages = errors.New("the list does not end")

// pages reads a list to its last page. The body stays the same: a cursor holds
// only within the question that it was given for.
func pages[T any](ctx context.Context, c *Client, l list[T], method string, body []byte) (Answer[T], error) {
	var all Answer[T]
	seen := map[string]bool{}
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for n := range c.cfg.MaxPages {
		var got page[T]
		r := request{
			method: method,
			route:  l.route,
			path:   l.path,
			query:  query,
			body:   body,
			limit:  limit{"MaxList", c.cfg.MaxList},
			page:   n + 1,
			decode: func(data []byte) (err error) { got, err = decodePage(data, l); return err },
			holds:  func() (items, malformed int) { return len(got.Items), len(got.Malformed) },
		}
		if err := r.name(l.id); err != nil {
			return Answer[T]{}, err
		}
		if err := c.ask(ctx, r); err != nil {
			return Answer[T]{}, err
		}
		all = all.with(got.Answer)
		switch {
		case got.next == "":
			return all, nil
		case seen[got.next]:
			return Answer[T]{}, l.endless(method, "a cursor came twice")
		}
		seen[got.next] = true
		query.Set("cursor", got.next)
	}
	return Answer[T]{}, l.endless(method, fmt.Sprintf("more than MaxPages, %d pages of %d", c.cfg.MaxPages, pageSize))
}

func (l list[T]) endless(method, why string) error {
	return &RequestError{
		Method: method,
		Route:  l.route,
		Path:   l.path,
		Status: http.StatusOK,
		Tries:  1,
		Final:  true,
		Err:    fmt.Errorf("%w: %s", errPages, why),
	}
}
