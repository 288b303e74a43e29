package mirror_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scoring"
)

const (
	minimalRow = `"repo_full_name":"A/b","issue_number":1,"author_github_id":"7","state":"OPEN","created_at":"2026-05-01T00:00:00Z"`
	allIssues  = `{"since":"1970-01-01T00:00:00.000Z","generated_at":"2026-06-01T12:00:00.000Z","issues":[%s]}`
)

// rows keeps the rows that a client reports, and begins again with each try.
type rows struct {
	tries  int
	read   []scoring.IssueRow
	unread []string // whose they are
}

func (r *rows) start() func(scoring.IssueRow, error) {
	r.tries++
	r.read, r.unread = nil, nil
	return func(row scoring.IssueRow, err error) {
		if err != nil {
			r.unread = append(r.unread, row.AuthorID)
			return
		}
		r.read = append(r.read, row)
	}
}

// Rows are read one by one. A row that makes no sense is skipped and counted, with its
// author if that can be read.
func TestAllIssues(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, fmt.Sprintf(allIssues, strings.Join([]string{
		`{` + minimalRow + `}`,
		`{"repo_full_name":"c/d","issue_number":"2","author_github_id":8,"state":"CLOSED","created_at":null,"closed_at":"2026-05-02T00:00:00Z",
		  "state_reason":"COMPLETED","solving_pr":{"merged_at":"2026-05-02T00:00:00Z"},"more":[1]}`,
		`{"repo_full_name":"c/d","issue_number":3,"author_github_id":null,"state":"OPEN"}`,
		`7`, `{"repo_full_name":"c/d","issue_number":4,"state":"OPEN"}`,
		`{"repo_full_name":"c/d","issue_number":5,"author_github_id":"9","state":"DRAFT"}`,
		`{"repo_full_name":"c/d","issue_number":6,"author_github_id":"9","state":"CLOSED","closed_at":"soon"}`,
		`{"repo_full_name":null,"issue_number":7,"author_github_id":"9","state":"OPEN"}`,
		`{"repo_full_name":"c/d","issue_number":"x","author_github_id":"9","state":"OPEN"}`,
	}, ","))))
	var got rows
	all, err := b.client.AllIssues(t.Context(), 1<<20, got.start)
	if err != nil || all.Rows != 9 || all.Unreadable != 6 || !all.GeneratedAt.Equal(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)) {
		t.Fatalf("got %+v, error %v; want 9 rows, 6 of them unreadable, and when they were generated", all, err)
	}
	may := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	want := rows{tries: 1, unread: []string{"", "", "9", "9", "9", "9"}, read: []scoring.IssueRow{
		{AuthorID: "7", Repository: "a/b", State: scoring.Open, CreatedAt: may},
		{AuthorID: "8", Repository: "c/d", State: scoring.Closed, ClosedAt: may.AddDate(0, 0, 1)},
		{Repository: "c/d", State: scoring.Open},
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(rows{})); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(job.Malformed{Item: "item 4", Error: "not an object"}, all.Malformed[0]); diff != "" {
		t.Errorf("the first that is skipped (-want +got):\n%s", diff)
	}
	b.metered(t, 1)
	if q := b.saw()[0]; q.path != "/api/v1/dashboard/issues" || q.query != "since=1970-01-01T00%3A00%3A00Z" {
		t.Errorf("asked for %s?%s", q.path, q.query)
	}
}

// An answer of another kind than the expected one is no answer, whatever rows it has.
func TestAllIssuesRefused(t *testing.T) {
	t.Parallel()
	whole := fmt.Sprintf(allIssues, `{`+minimalRow+`}`)
	for name, c := range map[string]struct {
		status, tries int
		body, want    string
		maxBytes      int64
	}{
		"too large":             {200, 1, whole, "too large: more than the bound of the answer, 100 bytes", 100},
		"refused":               {404, 1, `{"message":"Cannot GET"}`, "status 404", 1 << 20},
		"not there":             {503, 3, `{}`, "status 503", 1 << 20},
		"broken off":            {200, 3, whole[:len(whole)-20], "unexpected EOF", 1 << 20},
		"no JSON":               {200, 3, "<html>", "not JSON", 1 << 20},
		"a list":                {200, 3, "[]", `not "{" but "["`, 1 << 20},
		"no issues":             {200, 3, strings.Replace(whole, `"issues"`, `"items"`, 1), "issues is missing", 1 << 20},
		"issues that are none":  {200, 3, strings.Replace(whole, `[{`, `{"a":{`, 1), "issues", 1 << 20},
		"issues twice":          {200, 3, strings.Replace(whole, `]}`, `],"issues":[]}`, 1), "issues are there twice", 1 << 20},
		"more after it":         {200, 3, whole + `{}`, "more than one value", 1 << 20},
		"rubbish after it":      {200, 3, whole + `]`, "reading beyond", 1 << 20},
		"another since":         {200, 3, strings.Replace(whole, "1970", "1971", 1), "since is 1971", 1 << 20},
		"no since":              {200, 3, strings.Replace(whole, `"since"`, `"until"`, 1), "since is", 1 << 20},
		"no generated_at":       {200, 3, strings.Replace(whole, "generated_at", "made_at", 1), "generated_at is missing", 1 << 20},
		"a generated_at of not": {200, 3, strings.Replace(whole, "2026-06-01T12", "soon", 1), "generated_at is", 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, say(c.status, c.body))
			var got rows
			_, err := b.client.AllIssues(t.Context(), c.maxBytes, got.start)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if final := c.tries == 1; errors.Is(err, mirror.ErrFinal) != final {
				t.Errorf("got %v, want it final: %t", err, final)
			}
			b.metered(t, c.tries)
		})
	}
}

// After a try that breaks off in the middle of the rows, the next one reports all of them
// again.
func TestAllIssuesTriedAgain(t *testing.T) {
	t.Parallel()
	whole := fmt.Sprintf(allIssues, `{`+minimalRow+`}`)
	b := setup(t, then(say(http.StatusOK, whole), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(whole[:len(whole)-2]))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	var got rows
	if all, err := b.client.AllIssues(t.Context(), 1<<20, got.start); err != nil || all.Rows != 1 || got.tries != 2 || len(got.read) != 1 {
		t.Errorf("got %+v, error %v, told %+v; want one row, of the second try", all, err, got)
	}
	b.metered(t, 2)
}

// A body of exactly the bound is accepted, and one with a byte more is not.
func TestAllIssuesBound(t *testing.T) {
	t.Parallel()
	whole := fmt.Sprintf(allIssues, `{`+minimalRow+`}`)
	b := setup(t, say(http.StatusOK, whole))
	for off, fits := range map[int64]bool{0: true, -1: false} {
		var got rows
		if _, err := b.client.AllIssues(t.Context(), int64(len(whole))+off, got.start); (err == nil) != fits {
			t.Errorf("a bound %d off: error %v, want it to fit: %t", off, err, fits)
		}
	}
}

// No input panics. Input that is not JSON is refused. Beside a valid row, any other row
// is read or reported.
func FuzzAllIssues(f *testing.F) {
	for _, item := range hostile {
		f.Add([]byte(item))
	}
	f.Add([]byte(`{` + minimalRow + `}`))
	f.Add([]byte(`{}],"issues":[{}`))
	f.Add([]byte(`{"author_github_id":"7"}`))
	f.Fuzz(func(t *testing.T, item []byte) {
		answer := fmt.Appendf(nil, allIssues, string(item)+`,{`+minimalRow+`}`)
		var got rows
		all, err := mirror.DecodeAllIssues(bytes.NewReader(answer), got.start())
		switch {
		case !json.Valid(answer):
			if err == nil {
				t.Fatalf("%q: taken, want it refused: it is not JSON", answer)
			}
		case !json.Valid(item): // it changes the answer around it
		case err != nil:
			t.Fatalf("%q beside a valid row: %v, want the answer read", item, err)
		case all.Rows != 2 || len(got.read)+len(got.unread) != 2 || all.Unreadable != len(got.unread) || len(got.read) == 0:
			t.Fatalf("%q: got %+v and %+v, want two rows, the valid one read", item, all, got)
		}
	})
}
