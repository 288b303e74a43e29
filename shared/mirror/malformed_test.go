package mirror_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// An answer of nothing but rubbish gives a report of bounded size.
func TestVeryManyMalformedItems(t *testing.T) {
	t.Parallel()
	answer := must.Get(mirror.DecodeMaintainers([]byte(`{"repo_full_name":"a/b","maintainers":[` + strings.Repeat("1,", 5000) +
		`{"github_id":7,"login":"ada","association":"OWNER"}]}`)))(t)
	if len(answer.Items) != 1 || len(answer.Malformed) != 1001 {
		t.Fatalf("got %d items and %d malformed, want 1 and 1,000 with one that counts the others", len(answer.Items), len(answer.Malformed))
	}
	if got, want := answer.Malformed[1000].Item, "4000 more items"; got != want {
		t.Errorf("got %q at the end, want %q", got, want)
	}
}

// A page ends after the requested number of items. Further ones cost no memory, are not
// in the list, and are counted.
func TestAPageIsCutWhereItWasAskedTo(t *testing.T) {
	t.Parallel()
	const asked = 200
	pull := func(number int) string {
		return `{"repo_full_name":"a/b","pr_number":` + strconv.Itoa(number) + `,"state":"OPEN","author_github_id":7,"created_at":"2026-01-02T03:04:05Z"}`
	}
	for _, c := range []struct {
		first, page int // how many pull requests each page has, the first of it malformed
		want        []string
	}{
		{asked, asked, []string{"item 1", "item 1"}},
		{asked + 1, asked, []string{"item 1", "surplus items: 1", "item 1"}},
		{5000, 0, []string{"item 1", "surplus items: 4800"}},
	} {
		number := 0
		b := setup(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.URL.Query().Get("limit"); got != strconv.Itoa(asked) {
				t.Errorf("asked for %s items, want %d", got, asked)
			}
			size, next := c.page, ""
			if !r.URL.Query().Has("cursor") {
				size, next = c.first, `,"next_cursor":"more"`
			}
			var items []string
			for i := range size {
				if number++; i == 0 {
					items = append(items, "{}")
					continue
				}
				items = append(items, pull(number))
			}
			fmt.Fprintf(w, `{"github_id":7,"pull_requests":[%s]%s}`, strings.Join(items, ","), next)
		})
		got := must.Get(b.client.Pulls(t.Context(), "7", map[string]time.Time{"a/b": {}}))(t)
		var names []string
		for _, m := range got.Malformed {
			names = append(names, m.Item)
		}
		if want := max(0, min(c.first, asked)-1) + max(0, c.page-1); len(got.Items) != want || !slices.Equal(names, c.want) {
			t.Errorf("pages of %d and %d: got %d items and %q, want %d and %q", c.first, c.page, len(got.Items), names, want, c.want)
		}
		if last := got.Items[min(c.first, asked)-2].Number; last != min(c.first, asked) {
			t.Errorf("pages of %d and %d: the first one ends with %d, want %d", c.first, c.page, last, min(c.first, asked))
		}
	}
	// Lists that are not requested in pages are read whole.
	files := make([]string, 300)
	for i := range files {
		files[i] = `{` + minimalFile + `}`
	}
	whole := must.Get(mirror.DecodeFiles([]byte(`{"repo_full_name":"a/b","pr_number":1,"files":[` + strings.Join(files, ",") + `]}`)))(t)
	if len(whole.Files) != len(files) || len(whole.Malformed) > 0 {
		t.Errorf("got %d files and %v, want all", len(whole.Files), whole.Malformed)
	}
}

// A name is fit for a line of a log, whoever has chosen it.
func TestNamesOfMalformedItemsAreBounded(t *testing.T) {
	t.Parallel()
	const maxRunes = 200
	long := strings.Repeat("x", 5000)
	hostile := `a\u001b[31m/\u202eb\u200b\n` + long
	for _, item := range []string{
		`{"repo_full_name":"` + hostile + `","pr_number":5}`, `{"repo_full_name":"a/b","pr_number":"` + hostile + `"}`,
		`{"repo_full_name":"` + hostile + `","pr_number":"` + hostile + `"}`, `{"repo_full_name":"\u202e","pr_number":"\n"}`,
		`{"repo_full_name":"` + strings.Repeat("éẞ", 500) + `","pr_number":1` + strings.Repeat("0", 500) + `}`,
	} {
		answer := must.Get(mirror.DecodePullRequests([]byte(`{"github_id":7,"pull_requests":[` + item + `]}`)))(t)
		bounded(t, answer.Malformed, maxRunes)
	}
	for _, name := range []string{hostile, "\u202e", long} {
		files := must.Get(mirror.DecodeFiles([]byte(`{"repo_full_name":"a/b","pr_number":1,"files":[{"filename":"` + name + `"}]}`)))(t)
		bounded(t, files.Malformed, maxRunes)
	}
}

func bounded(t *testing.T, got []job.Malformed, maxRunes int) {
	t.Helper()
	if len(got) != 1 {
		t.Fatalf("got %d malformed items, want 1", len(got))
	}
	for _, text := range []string{got[0].Item, got[0].Error} {
		if n := utf8.RuneCountInString(text); n == 0 || n > maxRunes || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%d characters of %.300q, want 1 to %d, and none that steers a terminal", n, text, maxRunes)
		}
	}
}

func TestMalformedItemsAreNamed(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`5`: "item 1", `{}`: "item 1", `{"repo_full_name":"A/B"}`: "a/b", `{"pr_number":5}`: "5",
		`{"repo_full_name":"A/B","pr_number":"5"}`: "a/b#5", `{"repo_full_name":5,"pr_number":null}`: "item 1",
	} {
		answer, err := mirror.DecodePullRequests([]byte(`{"github_id":7,"pull_requests":[` + raw + `]}`))
		if err != nil || len(answer.Malformed) != 1 || answer.Malformed[0].Item != want {
			t.Errorf("%s: got %+v, %v, want it named %q", raw, answer.Malformed, err, want)
		}
	}
}
