package mirror_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

var windows = map[string]time.Time{
	"Owner/Repo": time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 2*3600)),
	"a/b":        time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC),
}

func TestRequestsAreAsDescribed(t *testing.T) {
	t.Parallel()
	const body = `{"since_by_repo":{"Owner/Repo":"2026-01-02T01:04:05Z","a/b":"2026-01-02T03:04:05.6Z"}}`
	for name, c := range map[string]struct {
		answer string
		ask    func(context.Context, *mirror.Client) error
		want   seen
	}{
		"pulls": {
			emptyPulls,
			func(ctx context.Context, c *mirror.Client) error { _, err := c.Pulls(ctx, "7", windows); return err },
			seen{method: "POST", path: "/api/v1/miners/7/pulls", query: "limit=200", body: body},
		},
		"issues": {
			`{"github_id":7,"issues":null}`,
			func(ctx context.Context, c *mirror.Client) error { _, err := c.Issues(ctx, "7", windows); return err },
			seen{method: "POST", path: "/api/v1/miners/7/issues", query: "limit=200", body: body},
		},
		"open issues": {
			`{"github_id":7}`,
			func(ctx context.Context, c *mirror.Client) error { _, err := c.OpenIssues(ctx, "7"); return err },
			seen{method: "GET", path: "/api/v1/miners/7/issues", query: "limit=200"},
		},
		"files": {
			`{"repo_full_name":"A/b.C","pr_number":{number},"files":[]}`,
			func(ctx context.Context, c *mirror.Client) error { _, err := c.Files(ctx, "a/b.c", 12); return err },
			seen{method: "GET", path: "/api/v1/pulls/a/b.c/12/files"},
		},
		"maintainers": {
			`{"repo_full_name":"a/B_c-d.e","maintainers":[]}`,
			func(ctx context.Context, c *mirror.Client) error {
				_, err := c.Maintainers(ctx, "a/b_c-d.e")
				return err
			},
			seen{method: "GET", path: "/api/v1/repos/a/b_c-d.e/maintainers"},
		},
		"health": {
			health,
			func(ctx context.Context, c *mirror.Client) error { return c.Health(ctx) },
			seen{method: "GET", path: "/api/v1/health"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, say(http.StatusOK, c.answer))
			must.Do(t, c.ask(t.Context(), b.client))
			b.metered(t, 1)
			got := b.saw()[0]
			header := got.header
			got.header = nil
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(seen{})); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			contentType := ""
			if c.want.body != "" {
				contentType = "application/json"
			}
			for name, want := range map[string]string{
				"Accept": "application/json", "User-Agent": "mirrorfleet", "Content-Type": contentType, "Accept-Encoding": "gzip",
			} {
				if got := header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

// One request may name 200 repositories. More go into several requests, in order.
func TestManyRepositoriesAreAskedForInParts(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, emptyPulls))
	many := map[string]time.Time{}
	for i := range 450 {
		many[fmt.Sprintf("o/r%03d", i)] = time.Unix(int64(i), 0)
	}
	must.Get(b.client.Pulls(t.Context(), "7", many))(t)
	b.metered(t, 3)
	asked := 0
	for i, r := range b.saw() {
		var body struct {
			Since map[string]time.Time `json:"since_by_repo"`
		}
		must.Do(t, json.Unmarshal([]byte(r.body), &body))
		if want := min(200, 450-asked); len(body.Since) != want {
			t.Errorf("request %d names %d repositories, want %d", i, len(body.Since), want)
		}
		first := fmt.Sprintf("o/r%03d", asked)
		if since := body.Since[first]; !since.Equal(many[first]) {
			t.Errorf("request %d: %s since %s, want %s", i, first, since, many[first])
		}
		asked += len(body.Since)
	}
}

func TestWithoutWindowsNothingIsAsked(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, emptyPulls))
	answer, err := b.client.Pulls(t.Context(), "7", nil)
	if err != nil || len(answer.Items) != 0 {
		t.Errorf("got %v, %v, want an empty answer", answer, err)
	}
	b.metered(t, 0)
}

// A name that would lead to another path is refused before anything is sent.
func TestNamesThatAreNoPathAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, health))
	for _, id := range []string{"", "..", "7/../8", "7?x=1"} {
		_, pulls := b.client.Pulls(t.Context(), id, windows)
		_, issues := b.client.OpenIssues(t.Context(), id)
		for _, err := range []error{pulls, issues} {
			if !errors.Is(err, mirror.ErrFinal) || !strings.Contains(err.Error(), fmt.Sprintf("%q", id)) {
				t.Errorf("id %q: got %v, want an error that names it and is ErrFinal", id, err)
			}
		}
	}
	for _, repository := range []string{"", "a", "a/", "/b", "a/..", "./b", "a/b/c", "a/b c", "a/b%2f"} {
		_, files := b.client.Files(t.Context(), repository, 1)
		_, maintainers := b.client.Maintainers(t.Context(), repository)
		for _, err := range []error{files, maintainers} {
			var failed *mirror.RequestError
			if !errors.Is(err, mirror.ErrFinal) || !errors.As(err, &failed) || failed.Tries != 0 {
				t.Errorf("repository %q: got %v, want ErrFinal after no try", repository, err)
			}
		}
	}
	b.metered(t, 0)
}

func TestABaseURLMayHaveAPath(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, health))
	client := b.another(t, func(c *mirror.Config) { c.BaseURL += "/mirror/" })
	must.Do(t, client.Health(t.Context()))
	if got := b.saw()[0].path; got != "/mirror/api/v1/health" {
		t.Errorf("got path %q, want the base's before it", got)
	}
}

// pages serves a list of n pages, whose cursors are c1, c2 and so on.
func pages(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		page := 0
		_, _ = fmt.Sscanf(r.URL.Query().Get("cursor"), "c%d", &page)
		next := "null"
		if page+1 < n {
			next = fmt.Sprintf("%q", fmt.Sprintf("c%d", page+1))
		}
		_, _ = fmt.Fprintf(w, `{"github_id":"7","issues":[{"repo_full_name":"a/b","issue_number":%d,"state":"OPEN"},3],"next_cursor":%s}`,
			page, next)
	}
}

func TestListsAreReadToTheLastPage(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 5} {
		b := setup(t, pages(n), func(c *mirror.Config) { c.MaxPages = 5 })
		posted := must.Get(b.client.Issues(t.Context(), "7", windows))(t)
		got := must.Get(b.client.OpenIssues(t.Context(), "7"))(t)
		if diff := cmp.Diff(posted, got); diff != "" {
			t.Errorf("POST and GET differ:\n%s", diff)
		}
		if len(got.Items) != n || len(got.Malformed) != n {
			t.Fatalf("%d pages: got %d items and %d malformed, want one of each a page", n, len(got.Items), len(got.Malformed))
		}
		for i, issue := range got.Items {
			if issue.Number != i {
				t.Errorf("item %d: got issue %d, want the order of the pages", i, issue.Number)
			}
		}
		b.metered(t, 2*n)
		for i, r := range b.saw() {
			page, want := i%n, "limit=200"
			if page > 0 {
				want = fmt.Sprintf("cursor=c%d&limit=200", page)
			}
			if r.query != want {
				t.Errorf("request %d: got query %q, want %q", i, r.query, want)
			}
			if hasBody := r.body != ""; hasBody != (i < n) || hasBody && r.body != b.saw()[0].body {
				t.Errorf("request %d, %s: got body %q, want a POST's on each of its pages", i, r.method, r.body)
			}
		}
	}
}

func TestAListThatDoesNotEndIsRefused(t *testing.T) {
	t.Parallel()
	loop := func(cursors ...string) http.HandlerFunc {
		n := 0
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"github_id":"7","next_cursor":%q}`, cursors[n%len(cursors)])
			n++
		}
	}
	for name, c := range map[string]struct {
		handle   http.HandlerFunc
		requests int
		want     string
	}{
		"the same cursor": {loop("x"), 2, "came twice"},
		"a circle":        {loop("x", "y"), 3, "came twice"},
		"too many pages":  {pages(100), 4, "MaxPages, 4 pages of 200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.handle, func(c *mirror.Config) { c.MaxPages = 4 })
			answer, err := b.client.OpenIssues(t.Context(), "7")
			if !errors.Is(err, mirror.ErrFinal) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want ErrFinal with %q", err, c.want)
			}
			if len(answer.Items) != 0 {
				t.Errorf("got %d items of a list that was not read to its end, want none", len(answer.Items))
			}
			b.metered(t, c.requests)
		})
	}
}

// A cursor that is not a text must not count as the end of the list: the following pages
// would be lost silently.
func TestACursorThatIsNoTextFailsTheList(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, `{"github_id":"7","issues":[],"next_cursor":5}`))
	if _, err := b.client.OpenIssues(t.Context(), "7"); !errors.Is(err, mirror.ErrUnavailable) || !strings.Contains(err.Error(), "next_cursor") {
		t.Errorf("got %v, want ErrUnavailable that names next_cursor", err)
	}
}

func TestAnswersHaveACap(t *testing.T) {
	t.Parallel()
	body := `{"github_id":"7","x":"` + strings.Repeat("x", 1000) + `"}`
	for name, announce := range map[string]bool{"with its length": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
				if announce {
					w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				}
				_, _ = io.WriteString(w, body[:500])
				_ = http.NewResponseController(w).Flush()
				_, _ = io.WriteString(w, body[500:])
			})
			for maxBytes, fits := range map[int]bool{len(body): true, len(body) - 1: false} {
				client := b.another(t, func(c *mirror.Config) { c.MaxList = int64(maxBytes) })
				_, err := client.OpenIssues(t.Context(), "7")
				if fits && err != nil {
					t.Errorf("cap %d: got %v, want an answer of %d bytes to fit", maxBytes, err, len(body))
				}
				if !fits && (!errors.Is(err, mirror.ErrFinal) || !strings.Contains(err.Error(), fmt.Sprintf("more than MaxList, %d bytes", maxBytes))) {
					t.Errorf("cap %d: got %v, want ErrFinal that names the cap", maxBytes, err)
				}
			}
			if got := len(b.saw()); got != 2 {
				t.Errorf("the server saw %d requests, want 2: too large is final", got)
			}
		})
	}
}

// The bound of an answer counts unpacked bytes, while they are unpacked.
func TestPackedAnswersAreReadAndCapped(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		pack(w, `{"repo_full_name":"a/b","pr_number":1,"files":[],"x":"`+strings.Repeat("x", 100_000)+`"}`)
	})
	if _, err := b.client.Files(t.Context(), "a/b", 1); err != nil {
		t.Errorf("got %v, want the unpacked answer", err)
	}
	small := b.another(t, func(c *mirror.Config) { c.MaxFiles = 50_000 })
	if _, err := small.Files(t.Context(), "a/b", 1); !errors.Is(err, mirror.ErrFinal) {
		t.Errorf("got %v, want ErrFinal: it unpacks to more than the cap", err)
	}
}

// The instant of an answer is by the mirror's own clock. Without its date, it is the
// instant of reading.
func TestWhenFilesCame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		date string
		want func(at, before time.Time) bool
	}{
		{"Mon, 01 Jun 2026 00:00:07 GMT", func(at, _ time.Time) bool { return at.Equal(time.Date(2026, 6, 1, 0, 0, 7, 0, time.UTC)) }},
		{"soon", func(at, before time.Time) bool { return !at.Before(before) && !at.After(time.Now()) }},
	} {
		before := time.Now()
		b := setup(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", c.date)
			say(http.StatusOK, emptyFiles)(w, r)
		})
		if files := must.Get(b.client.Files(t.Context(), "a/b", 1))(t); !c.want(files.At, before) {
			t.Errorf("Date %q: it came at %s", c.date, files.At)
		}
	}
}
