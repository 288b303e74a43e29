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

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

const (
	// pageSize is the most items that the mirror puts on a page.
	pageSize = 200
	// mostWindows is the most repositories that one request may name.
	mostWindows = 200
)

// Answer is a list, with what could not be read of it.
type Answer[T any] struct {
	Items     []T
	Malformed []job.Malformed
}

// Pulls lists a miner's pull requests in each repository since its instant,
// in the order in which the mirror sends them.
func (c *Client) Pulls(ctx context.Context, githubID string, windows map[string]time.Time) (Answer[scoring.PullRequest], error) {
	return windowed(ctx, c, list[scoring.PullRequest]{
		route: "/api/v1/miners/{id}/pulls", path: "/api/v1/miners/" + url.PathEscape(githubID) + "/pulls",
		field: "pull_requests", number: "pr_number", decode: decodePullRequest,
	}, windows)
}

// Issues lists a miner's issues in each repository: the open ones created and
// the closed ones closed since its instant.
func (c *Client) Issues(ctx context.Context, githubID string, windows map[string]time.Time) (Answer[scoring.Issue], error) {
	return windowed(ctx, c, issues(githubID), windows)
}

// OpenIssues lists all of a miner's issues that are open now.
func (c *Client) OpenIssues(ctx context.Context, githubID string) (Answer[scoring.Issue], error) {
	return pages(ctx, c, issues(githubID), http.MethodGet, nil)
}

func issues(githubID string) list[scoring.Issue] {
	return list[scoring.Issue]{
		route: "/api/v1/miners/{id}/issues", path: "/api/v1/miners/" + url.PathEscape(githubID) + "/issues",
		field: "issues", number: "issue_number", decode: decodeIssue,
	}
}

// list is one of the lists of a miner.
type list[T any] struct {
	route, path string
	// field holds the items; number names the field that identifies one.
	field, number string
	decode        func(item) (T, error)
}

// windowed asks for at most as many repositories at once as the mirror takes.
func windowed[T any](ctx context.Context, c *Client, l list[T], windows map[string]time.Time) (Answer[T], error) {
	var all Answer[T]
	for names := range slices.Chunk(slices.Sorted(maps.Keys(windows)), mostWindows) {
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
		all.Items = append(all.Items, part.Items...)
		all.Malformed = append(all.Malformed, part.Malformed...)
	}
	return all, nil
}

// errPages is a list that does not end.
var errPages = errors.New("the list does not end")

// pages reads a list to its last page.
func pages[T any](ctx context.Context, c *Client, l list[T], method string, body []byte) (Answer[T], error) {
	var all Answer[T]
	cursor := ""
	for range c.cfg.MaxPages {
		query := url.Values{"limit": {strconv.Itoa(pageSize)}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		var got page[T]
		err := c.ask(ctx, request{
			method: method, route: l.route, path: l.path, query: query, body: body, most: c.cfg.MaxList,
			decode: func(data []byte) (err error) { got, err = decodePage(data, l); return err },
		})
		if err != nil {
			return Answer[T]{}, err
		}
		all.Items = append(all.Items, got.items...)
		all.Malformed = append(all.Malformed, got.malformed...)
		if got.next == "" {
			return all, nil
		}
		if got.next == cursor {
			return Answer[T]{}, l.endless(method, "its cursor does not move on")
		}
		cursor = got.next
	}
	return Answer[T]{}, l.endless(method, fmt.Sprintf("more than %d pages of %d", c.cfg.MaxPages, pageSize))
}

func (l list[T]) endless(method, why string) error {
	return &RequestError{Method: method, Route: l.route, Path: l.path, Tries: 1, Final: true, Err: fmt.Errorf("%w: %s", errPages, why)}
}

// page is one page of a list.
type page[T any] struct {
	items     []T
	malformed []job.Malformed
	next      string
}

func decodePage[T any](data []byte, l list[T]) (page[T], error) {
	var p page[T]
	top, err := whole(data)
	if err != nil {
		return p, err
	}
	if !top.has("github_id") {
		return p, errors.New("github_id is missing")
	}
	for _, field := range []string{"since", "generated_at"} {
		if _, err := top.instant(field); err != nil {
			return p, err
		}
	}
	items, err := top.list(l.field)
	if err != nil {
		return p, err
	}
	p.items, p.malformed = decodeEach(items, l.number, l.decode)
	p.next, err = top.text("next_cursor")
	return p, err
}

// decodeEach decodes item by item; what cannot be read costs only itself.
func decodeEach[T any](items []json.RawMessage, number string, decode func(item) (T, error)) ([]T, []job.Malformed) {
	decoded, malformed := make([]T, 0, len(items)), []job.Malformed(nil)
	for i, raw := range items {
		it, err := object(raw)
		var value T
		if err == nil {
			value, err = decode(it)
		}
		if err != nil {
			malformed = append(malformed, job.Malformed{Item: it.name(i, number), Error: err.Error()})
			continue
		}
		decoded = append(decoded, value)
	}
	return decoded, malformed
}
