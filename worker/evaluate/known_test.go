package evaluate_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
)

// What the round knows of a miner's issues is not asked for: the open ones of a miner
// whose rows can all be read, and the windows of one with nothing inside. A replay asks.
func TestKnownIssuesAreNotAskedFor(t *testing.T) {
	t.Parallel()
	w := world(1)
	created, id := asOf.AddDate(-1, 0, 0), "107"
	w.AddIssue(id, mirrorsim.Issue{RepoFullName: "a/b", Number: 30, State: "OPEN", AuthorGitHubID: &id, CreatedAt: &created})
	b := setup(t, w)
	open := map[string]int{"a/b": 1}
	all := func(miner string, known job.MinerIssues) *job.AllIssues {
		return &job.AllIssues{Requests: 1, Miners: map[string]job.MinerIssues{miner: known}}
	}
	refused := all(id, job.MinerIssues{Open: open})
	refused.Unused = "status 404"
	var want []byte
	for _, c := range []struct {
		name         string
		all          *job.AllIssues
		replay       int
		issues, open int
	}{
		{"not-asked", nil, 0, 1, 1},
		{"unused", refused, 0, 1, 1},
		{"of-another", all("108", job.MinerIssues{}), 0, 1, 1},
		{"inside", all(id, job.MinerIssues{Open: open, Inside: true}), 0, 1, 0},
		{"quiet", all(id, job.MinerIssues{Open: open}), 0, 0, 0},
		{"replayed", all(id, job.MinerIssues{Open: map[string]int{"a/b": 7}}), 1, 1, 1},
	} {
		b.plan(t, c.name, func(m *job.Manifest) { m.AllIssues = c.all })
		b.server.Reset()
		j := one()
		j.Round, j.Replay = c.name, c.replay
		told := 0
		got := must.Get(b.evaluator.Evaluate(t.Context(), j, job.Attempt{Expect: func(_ context.Context, n int) { told = n }}))(t)
		stats := b.server.Stats().ByRoute
		if issues, open := stats[mirrorsim.RouteIssues].Requests, stats[mirrorsim.RouteOpenIssues].Requests; issues != c.issues || open != c.open {
			t.Errorf("%s: %d requests for issues and %d for open ones, want %d and %d", c.name, issues, open, c.issues, c.open)
		}
		if sent := b.server.Stats().Requests; told != 0 && told != sent {
			t.Errorf("%s: told to take %d requests, took %d", c.name, told, sent)
		}
		data := must.Get(json.Marshal(got.Evaluation))(t)
		if want == nil {
			want = data
		}
		if diff := cmp.Diff(string(want), string(data)); diff != "" {
			t.Errorf("%s: another evaluation (-want +got):\n%s", c.name, diff)
		}
	}
}
