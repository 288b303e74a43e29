package mirrorsim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
)

const allIssues = "/api/v1/dashboard/issues"

// The one answer has the issues of every author and of nobody, as the lists have them,
// names in lower case, and is of now.
func TestAllIssues(t *testing.T) {
	t.Parallel()
	w := mirrorsim.NewWorld("all", asOf)
	created := asOf.AddDate(0, 0, -20)
	closed := asOf.AddDate(0, 0, -3)
	id := "7"
	w.AddIssue(id, mirrorsim.Issue{RepoFullName: "Acme/Rocket", Number: 1, State: "OPEN", AuthorGitHubID: &id, CreatedAt: &created})
	w.AddIssue(id, mirrorsim.Issue{
		RepoFullName: "acme/rocket", Number: 2, State: "CLOSED", StateReason: new("COMPLETED"), AuthorGitHubID: &id,
		CreatedAt: &created, ClosedAt: &closed, SolvingPR: &mirrorsim.SolvingPR{Number: 9, MergedAt: &closed},
	})
	w.AddIssue("", mirrorsim.Issue{RepoFullName: "acme/rocket", Number: 3, State: "OPEN", CreatedAt: &created})
	b := setup(t, mirrorsim.Config{World: w})
	for since, want := range map[string][]string{
		"1970-01-01T00:00:00Z": {
			`{"repo_full_name":"acme/rocket","issue_number":3,"author_github_id":null,"created_at":"` + created.Format(time.RFC3339) +
				`","closed_at":null,"state":"OPEN","state_reason":null,"solving_pr":null}`,
			`{"repo_full_name":"acme/rocket","issue_number":1,"author_github_id":"7","created_at":"` + created.Format(time.RFC3339) +
				`","closed_at":null,"state":"OPEN","state_reason":null,"solving_pr":null}`,
			`{"repo_full_name":"acme/rocket","issue_number":2,"author_github_id":"7","created_at":"` + created.Format(time.RFC3339) +
				`","closed_at":"` + closed.Format(time.RFC3339) + `","state":"CLOSED","state_reason":"COMPLETED","solving_pr":{"merged_at":"` +
				closed.Format(time.RFC3339) + `"}}`,
		},
		asOf.AddDate(0, 0, -10).Format(time.RFC3339): {`"issue_number":2,`},
		asOf.Format(time.RFC3339):                    {},
	} {
		r := b.do(http.MethodGet, allIssues+"?since="+since, "")
		var got struct {
			GeneratedAt time.Time         `json:"generated_at"`
			Issues      []json.RawMessage `json:"issues"`
		}
		must.Do(t, json.Unmarshal([]byte(r.body), &got))
		if age := time.Since(got.GeneratedAt); age < -time.Second || age > time.Minute {
			t.Errorf("since %s: generated_at is %s, want now", since, got.GeneratedAt)
		}
		if len(got.Issues) != len(want) {
			t.Fatalf("since %s: %d rows, want %d: %s", since, len(got.Issues), len(want), r.body)
		}
		for i, row := range got.Issues {
			if !strings.Contains(string(row), want[i]) {
				t.Errorf("since %s, row %d (-want +got):\n%s", since, i, cmp.Diff(want[i], string(row)))
			}
		}
	}
	for _, query := range []string{"", "?since=", "?since=soon"} {
		if r := b.do(http.MethodGet, allIssues+query, ""); r.status != http.StatusBadRequest {
			t.Errorf("%q: %d, want 400", query, r.status)
		}
	}
}

// There is no one answer where it would contradict the miners' own: look-ups that fail,
// an issue that is malformed where the answer does not show it.
func TestNoAllIssues(t *testing.T) {
	t.Parallel()
	w := mirrorsim.NewWorld("none", asOf)
	w.Fails["open_issues:7"] = mirrorsim.Failure{Times: 1, Fault: "500"}
	b := setup(t, mirrorsim.Config{World: w})
	ask := func() reply { return b.do(http.MethodGet, allIssues+"?since=1970-01-01T00:00:00Z", "") }
	if r := ask(); r.status != http.StatusNotFound || !strings.Contains(r.body, "open_issues:7") {
		t.Errorf("while a look-up fails: %d %s, want 404 and which", r.status, r.body)
	}
	b.do(http.MethodGet, "/api/v1/miners/7/issues", "") // it fails, and is healed
	if r := ask(); r.status != http.StatusOK {
		t.Errorf("healed: %d %s, want 200", r.status, r.body)
	}
	for what, labels := range map[string]string{"a label without a name": `[{}]`, "labels that are none": `7`} {
		w := mirrorsim.NewWorld(what, asOf)
		w.AddRawIssue("7", "a/b", 1, true, asOf,
			[]byte(`{"repo_full_name":"a/b","issue_number":1,"author_github_id":"7","state":"OPEN","labels":`+labels+`}`))
		b := setup(t, mirrorsim.Config{World: w})
		if r := b.do(http.MethodGet, allIssues+"?since=1970-01-01T00:00:00Z", ""); r.status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", what, r.status)
		}
	}
}

// Lists of a case that cannot come from one set of issues have no one answer.
func TestNoAllIssuesOfACase(t *testing.T) {
	t.Parallel()
	const issue = `{"repo_full_name":"a/b","issue_number":1,"author_github_id":"7","state":"%s","created_at":"%s","closed_at":"%s"}`
	of := func(state, created, closed string) []json.RawMessage {
		return []json.RawMessage{json.RawMessage(strings.NewReplacer(`"state":"%s"`, `"state":"`+state+`"`,
			`"created_at":"%s"`, `"created_at":"`+created+`"`, `"closed_at":"%s"`, `"closed_at":"`+closed+`"`).Replace(issue))}
	}
	now, old := asOf.Format(time.RFC3339), asOf.AddDate(0, 0, -200).Format(time.RFC3339)
	for name, c := range map[string]struct {
		listed, open []json.RawMessage
		want         string
	}{
		"whole":                     {of("OPEN", now, ""), of("OPEN", now, ""), ""},
		"open, too old to list":     {nil, of("OPEN", old, ""), ""},
		"closed":                    {of("CLOSED", old, now), nil, ""},
		"open and not an open one":  {of("OPEN", now, ""), nil, "a/b#1 is open and not in the list of open ones"},
		"closed and an open one":    {of("CLOSED", old, now), of("OPEN", now, ""), "a/b#1 is closed and in the list of open ones"},
		"inside and not listed":     {nil, of("OPEN", now, ""), "a/b#1 is inside its window and not listed"},
		"listed and all of it old":  {of("CLOSED", old, old), nil, "none of those that are listed is inside its window"},
		"something that is nothing": {[]json.RawMessage{[]byte("7")}, nil, "one is not an object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorded := mirrorsim.Case{
				Registry: []byte(`{"a/b":{"emission_share":0.5}}`), Rounds: []mirrorsim.CaseRound{{AsOf: asOf}},
				Mirror: mirrorsim.Answers{
					Issues: map[string][]json.RawMessage{"7": c.listed}, OpenIssues: map[string][]json.RawMessage{"7": c.open},
				},
			}
			b := setup(t, mirrorsim.Config{World: must.Get(recorded.World(0))(t)})
			r := b.do(http.MethodGet, allIssues+"?since=1970-01-01T00:00:00Z", "")
			if c.want == "" && r.status != http.StatusOK || !strings.Contains(r.body, c.want) {
				t.Errorf("%d %s, want %q", r.status, r.body, c.want)
			}
		})
	}
}
