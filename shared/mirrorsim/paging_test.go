package mirrorsim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/mirrorsim"
)

// Pages of any size hold every item once, newest first by creation,
// repository and number.
func TestPagingRoundTrip(t *testing.T) {
	t.Parallel()
	w := mirrorsim.NewWorld("many", asOf)
	var want []int
	for n := 1; n <= 410; n++ { // five of each instant: the number decides among them
		w.AddPull("7", mirrorsim.Pull{RepoFullName: "a/b", Number: n, State: "OPEN", CreatedAt: asOf.AddDate(0, 0, -30+n/50)})
		want = append(want, n)
	}
	slices.Reverse(want)
	b := setup(t, mirrorsim.Config{World: w})
	body := `{"since_by_repo": {"a/b": "2020-01-01"}}`
	for _, limit := range []int{9, 199, 200} {
		var got []int
		path := fmt.Sprintf("/api/v1/miners/7/pulls?limit=%d", limit)
		for cursor := ""; ; {
			answer := b.list(http.MethodPost, path+cursor, body)
			page := numbers(t, answer.PullRequests)
			if wanted := min(limit, len(want)-len(got)); len(page) != wanted {
				t.Fatalf("limit %d: page of %d items after %d, want %d", limit, len(page), len(got), wanted)
			}
			got = append(got, page...)
			if answer.NextCursor == nil {
				break
			}
			cursor = "&cursor=" + *answer.NextCursor
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d: pages differ from the list (-want +got):\n%s", limit, diff)
		}
	}
	if all := b.list(http.MethodPost, "/api/v1/miners/7/pulls", body); len(all.PullRequests) != 410 || all.NextCursor != nil {
		t.Errorf("without paging: %d items, cursor %v; want 410 and none", len(all.PullRequests), all.NextCursor)
	}
}

// Holds the fault of a client that leaves its windows out after the first
// page: its cursor is then of another list.
func TestCursorOfAnotherList(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{})
	path := "/api/v1/miners/7/pulls?limit=1"
	first := b.list(http.MethodPost, path, since(36))
	if first.NextCursor == nil {
		t.Fatal("no cursor after the first of four items")
	}
	if r := b.do(http.MethodPost, path+"&cursor="+*first.NextCursor, since(60)); r.status != http.StatusBadRequest {
		t.Errorf("cursor with other windows: %d, want 400", r.status)
	}
	if r := b.do(http.MethodPost, path+"&cursor="+*first.NextCursor, since(36)); r.status != http.StatusOK {
		t.Errorf("cursor with its own windows: %d %s, want 200", r.status, r.body)
	}
}

// No text is a cursor unless the server made it for this very list.
func FuzzCursor(f *testing.F) {
	_, genuine, err := mirrorsim.Page(url.Values{"limit": {"3"}}, 10, "list")
	if err != nil || genuine == "" {
		f.Fatalf("first page: cursor %q, error %v", genuine, err)
	}
	for _, seed := range []string{genuine, "", "a", "AAAAAAAAAAAAAAAA", genuine + "A", genuine[1:], "!!", "====", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		page, next, err := mirrorsim.Page(url.Values{"cursor": {cursor}, "limit": {"3"}}, 10, "list")
		if err != nil {
			return
		}
		if cursor != genuine && (len(page) == 0 || page[0]%3 != 0) {
			t.Errorf("cursor %q: page %v with next %q, want an error", cursor, page, next)
		}
		if len(page) == 0 || len(page) > 3 {
			t.Errorf("cursor %q: %d items, want 1 to 3", cursor, len(page))
		}
	})
}
