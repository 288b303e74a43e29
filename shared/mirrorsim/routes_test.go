package mirrorsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/mirrorsim"
)

// Every request of the mirror's description, with the errors it names.
func TestRoutes(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{})
	pulls, issues := "/api/v1/miners/7/pulls", "/api/v1/miners/7/issues"
	windows := func(n int) string {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf(`"o/r%d": "2026-01-01T00:00:00Z"`, i)
		}
		return `{"since_by_repo": {` + strings.Join(keys, ",") + "}}"
	}
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want                     string // a part of the body
	}{
		{"health", "GET", "/api/v1/health", "", 200, `"status":"ok"`},
		{"pulls by window", "POST", pulls, since(30), 200, `"github_id":"7","since":null,"generated_at":"2026-03-01T00:00:00.000Z","pull_requests":[`},
		{"pulls since", "GET", pulls + "?since=2026-02-01", "", 200, `"since":"2026-02-01T00:00:00.000Z"`},
		{"pulls without since", "GET", pulls, "", 200, `"since":"2026-01-25T00:00:00.000Z"`},
		{"issues by window", "POST", issues, since(30), 200, `"issues":[`},
		{"open issues", "GET", issues, "", 200, `"since":null`},
		{"unknown miner", "POST", "/api/v1/miners/8/pulls", since(30), 200, `"pull_requests":[]`},
		{"files", "GET", "/api/v1/pulls/ACME/rocket/2/files", "", 200, `"head_content":"package a\n","base_content":null`},
		{"files of an unknown pull request", "GET", "/api/v1/pulls/acme/rocket/77/files", "", 404, `"statusCode":404`},
		{"files without a number", "GET", "/api/v1/pulls/acme/rocket/x/files", "", 400, `"error":"Bad Request"`},
		{"maintainers of an unknown repository", "GET", "/api/v1/repos/a/b/maintainers", "", 200, `"maintainers":[]`},
		{"unknown route", "GET", "/api/v2/health", "", 404, `"message":"Cannot GET /api/v2/health"`},
		{"unknown method", "DELETE", pulls, "", 404, `"message":"Cannot DELETE`},
		{"200 repositories", "POST", pulls, windows(200), 200, `"pull_requests":[]`},
		{"no body", "POST", pulls, "", 400, `"statusCode":400`},
		{"body that is not JSON", "POST", pulls, "{", 400, `"error":"Bad Request"`},
		{"body without windows", "POST", issues, "{}", 400, "0 repositories"},
		{"empty windows", "POST", pulls, `{"since_by_repo": {}}`, 400, "0 repositories"},
		{"too many windows", "POST", pulls, windows(201), 400, "201 repositories"},
		{"key that is no repository", "POST", pulls, `{"since_by_repo": {"rocket": "2026-01-01"}}`, 400, "owner/repo"},
		{"keys equal without case", "POST", pulls, `{"since_by_repo": {"a/b": "2026-01-01", "A/B": "2026-01-01"}}`, 400, "twice"},
		{"window that is no date", "POST", pulls, `{"since_by_repo": {"a/b": "soon"}}`, 400, "not a date"},
		{"window that is a number", "POST", pulls, `{"since_by_repo": {"a/b": 5}}`, 400, "not a date"},
		{"since that is no date", "GET", pulls + "?since=yesterday", "", 400, "not a date"},
		{"limit 0", "POST", pulls + "?limit=0", since(30), 400, "limit"},
		{"limit above the most", "POST", pulls + "?limit=201", since(30), 400, "limit"},
		{"limit that is no number", "GET", issues + "?limit=ten", "", 400, "limit"},
		{"cursor made up", "GET", issues + "?cursor=abc", "", 400, "cursor"},
		{"empty cursor", "GET", issues + "?cursor=", "", 400, "cursor"},
		{"body over the most", "POST", pulls, strings.Repeat(" ", 2<<20), 400, "1 MB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := b.do(tc.method, tc.path, tc.body)
			if r.err != nil || r.status != tc.status || !strings.Contains(r.body, tc.want) {
				t.Errorf("%s %s: status %d, error %v, body %s; want %d and %q in it", tc.method, tc.path, r.status, r.err, r.body, tc.status, tc.want)
			}
			if !json.Valid([]byte(r.body)) || !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
				t.Errorf("%s %s: %s %s, want JSON", tc.method, tc.path, r.header.Get("Content-Type"), r.body)
			}
		})
	}
}

// A pull request is inside a window by its merge, or by its creation when it
// was never merged; an issue by its closing, or by its creation while open.
func TestWindows(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{})
	for _, tc := range []struct {
		name, method, path, body string
		want                     []int
	}{
		{"by creation and merge", "POST", "pulls", since(30), []int{1, 2, 3}},
		{"merged inside, created before", "POST", "pulls", since(36), []int{1, 2, 3, 4}},
		{"edge is inside", "POST", "pulls", since(10), []int{1}},
		{"nothing inside", "POST", "pulls", since(9), []int{}},
		{"another repository", "POST", "pulls", `{"since_by_repo": {"acme/other": "2020-01-01"}}`, []int{9}},
		{"default of 35 days, every repository", "GET", "pulls", "", []int{1, 2, 3, 4, 9}},
		{"one window for all", "GET", "pulls?since=2026-02-25T00:00:00Z", "", []int{9}},
		{"issue closed inside, open one before", "POST", "issues", since(30), []int{21}},
		{"both issues", "POST", "issues", since(60), []int{20, 21}},
		{"open issues are unbounded", "GET", "issues", "", []int{20}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			answer := b.list(tc.method, "/api/v1/miners/7/"+tc.path, tc.body)
			got := append(numbers(t, answer.PullRequests), numbers(t, answer.Issues)...)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s %s %s: numbers differ (-want +got):\n%s", tc.method, tc.path, tc.body, diff)
			}
			if answer.NextCursor != nil {
				t.Errorf("next_cursor %q without paging, want none", *answer.NextCursor)
			}
		})
	}
}

func TestStartRefusesWrongSettings(t *testing.T) {
	t.Parallel()
	w := smallWorld()
	for field, cfg := range map[string]mirrorsim.Config{
		"World":      {},
		"Limit":      {World: w, Limit: -1},
		"Window":     {World: w, Window: -1},
		"Mitigation": {World: w, Mitigation: -1},
		"Stall":      {World: w, Stall: -1},
		"Faults":     {World: w, Faults: map[mirrorsim.Fault]float64{"flood": 0.1}},
		"Faults[":    {World: w, Faults: map[mirrorsim.Fault]float64{mirrorsim.FaultCut: 1.1}},
		"Faults add": {World: w, Faults: map[mirrorsim.Fault]float64{mirrorsim.FaultCut: 0.6, mirrorsim.FaultReset: 0.6}},
		"256.0.0.1":  {World: w, Addr: "256.0.0.1:0"},
	} {
		if server, err := mirrorsim.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("Start(%+v) = %v, %v; want an error that names %s", cfg, server, err, field)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{})
	addr := strings.TrimPrefix(b.server.URL, "http://")
	if _, err := mirrorsim.Start(t.Context(), mirrorsim.Config{World: smallWorld(), Addr: addr}); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("Start on %s: %v, want an error that names the address", addr, err)
	}
	if r := b.do(http.MethodGet, "/api/v1/health", ""); r.status != http.StatusOK {
		t.Errorf("health after it: %d, want 200", r.status)
	}
}
