package mirrorsim_test

import (
	"net/http"
	"strings"
	"testing"

	"mirrorfleet/shared/mirrorsim"
)

// A mirror's world changes while it is asked: each answer is of one of them, the counts go on,
// and failures are those of the world that is served.
func TestAWorldThatChanges(t *testing.T) {
	t.Parallel()
	today := smallWorld()
	earlier := today.Before(asOf.AddDate(0, 0, -3))
	earlier.Fails = map[string]mirrorsim.Failure{"health": {Times: -1, Fault: "500"}}
	b := setup(t, mirrorsim.Config{World: earlier})
	numbers := func() string {
		body := b.do(http.MethodGet, "/api/v1/miners/7/pulls?since=2025-01-01", "").body + b.do(http.MethodGet, "/api/v1/miners/7/issues", "").body
		var has []string
		for _, what := range []string{`"pr_number":1,`, `"pr_number":2,`, `"pr_number":9,`, `"issue_number":20,`} {
			if strings.Contains(body, what) {
				has = append(has, what)
			}
		}
		return strings.Join(has, " ")
	}
	if got, want := numbers(), `"pr_number":1, "pr_number":2, "issue_number":20,`; got != want {
		t.Errorf("three days before, the mirror has %s, want %s", got, want)
	}
	if got := b.do(http.MethodGet, "/api/v1/health", "").status; got != http.StatusInternalServerError {
		t.Errorf("a failure of the earlier world: got %d, want 500", got)
	}
	b.server.Change(today)
	if got, want := numbers(), `"pr_number":1, "pr_number":2, "pr_number":9, "issue_number":20,`; got != want {
		t.Errorf("today, the mirror has %s, want %s", got, want)
	}
	if got := b.do(http.MethodGet, "/api/v1/health", "").status; got != http.StatusOK {
		t.Errorf("after the change: got %d, want 200", got)
	}
	if got := b.server.Stats().Requests; got != 6 {
		t.Errorf("%d requests are counted, want 6", got)
	}
}
