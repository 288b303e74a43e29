package scoring_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

func TestStoredEvaluations(t *testing.T) {
	t.Parallel()
	const reg = `{"a/b": {"emission_share": 1}}`
	stored := scoring.StoredEvaluation{
		UID: 5, Hotkey: "hk5", GitHubID: "1005", AsOf: asOf.Add(-2 * time.Hour), Merged: pulls("a/b", scoring.Merged, 1, 3, 2),
		Issues:       scoring.IssueFigures{IssueDiscoveryScore: 4, TotalSolvedIssues: 2},
		Repositories: []scoring.StoredRepository{{Repository: "a/b", IssueFigures: scoring.IssueFigures{IssueDiscoveryScore: 4, TotalSolvedIssues: 2}}},
		ScoredIssues: []scoring.ScoredIssue{{Repository: "a/b", Number: 9, EarnedScore: 4}},
	}
	change := func(f func(*scoring.StoredEvaluation)) scoring.StoredEvaluation { s := stored; f(&s); return s }
	failed := scoring.Evaluation{UID: 5, FetchFailed: true}
	tests := []struct {
		name       string
		stored     scoring.StoredEvaluation
		evaluation *scoring.Evaluation // nil: a dead letter
		fromStored bool
		pulls      int
		issueScore float64
		after      string // what becomes of the stored one
	}{
		{"fetch failed", stored, &failed, true, 3, 4, "kept"},
		{"dead letter", stored, nil, true, 3, 4, "kept"},
		{"open ones alone", change(func(s *scoring.StoredEvaluation) { s.Merged, s.Open = nil, s.Merged }), &failed, true, 3, 4, "kept"},
		{"closed ones alone", change(func(s *scoring.StoredEvaluation) { s.Merged, s.Closed = nil, s.Merged }), &failed, true, 3, 4, "kept"},
		{"another hotkey", change(func(s *scoring.StoredEvaluation) { s.Hotkey = "x" }), &failed, false, 0, 0, "dropped"},
		{"another GitHub id", change(func(s *scoring.StoredEvaluation) { s.GitHubID = "x" }), &failed, false, 0, 0, "dropped"},
		// Without pull requests there is nothing to go on with; the issue
		// figures are still better than none.
		{"none stored", change(func(s *scoring.StoredEvaluation) { s.Merged = nil }), &failed, false, 0, 4, "kept"},
		{"a fetch replaces", stored, &scoring.Evaluation{UID: 5, Closed: pulls("a/b", scoring.Closed, 8, 1, 1)}, false, 1, 4, "replaced"},
		{"an empty fetch too", stored, &scoring.Evaluation{UID: 5}, false, 0, 4, "replaced"},
	}
	for _, tt := range tests {
		in := roundOf(t, reg)
		in.Miners = []input.Miner{minerOf(5)}
		in.Stored[5] = tt.stored
		if tt.evaluation != nil {
			in.Evaluations[5] = *tt.evaluation
		}
		out := scoring.Conclude(in)
		got := outcomeOf(t, out, 5)
		if got.FromStored != tt.fromStored || len(out.FromStored) > 0 != tt.fromStored || len(got.PullRequests) != tt.pulls ||
			got.IssueDiscoveryScore != tt.issueScore {
			t.Errorf("%s: got from stored %v with %d pull requests and issue score %v, want %v, %d, %v", tt.name,
				got.FromStored, len(got.PullRequests), got.IssueDiscoveryScore, tt.fromStored, tt.pulls, tt.issueScore)
		}
		if tt.fromStored != got.StoredAsOf.Equal(stored.AsOf) {
			t.Errorf("%s: got pull requests stored as of %v, want %v if they are stored ones", tt.name, got.StoredAsOf, stored.AsOf)
		}
		after := "kept"
		for _, c := range out.Stored {
			after = "replaced"
			switch {
			case c.Evaluation == nil:
				after = "dropped"
			case c.Evaluation.Issues.IssueDiscoveryScore != 4:
				t.Errorf("%s: the stored issue figures were lost", tt.name)
			case !c.Evaluation.AsOf.Equal(asOf):
				t.Errorf("%s: stored as of %v, want the round's %v", tt.name, c.Evaluation.AsOf, asOf)
			}
		}
		if after != tt.after {
			t.Errorf("%s: the stored evaluation was %s, want %s", tt.name, after, tt.after)
		}
	}
	if len(stored.Merged) != 3 || stored.Merged[0].TotalNodesScored != 0 || len(stored.Repositories) != 1 {
		t.Error("the stored evaluation that came in was changed")
	}
}

// Who would go on with stored pull requests, but shares an account now, goes on
// with nothing: neither list nor flag says otherwise, and nothing stays stored.
func TestAStoredEvaluationOfASharedAccount(t *testing.T) {
	t.Parallel()
	in := roundOf(t, `{"a/b": {"emission_share": 1}}`, scoring.Evaluation{UID: 5, FetchFailed: true}, scoring.Evaluation{UID: 6})
	in.Miners[1].GitHubID = in.Miners[0].GitHubID
	in.Stored[5] = scoring.StoredEvaluation{UID: 5, Hotkey: "hk5", GitHubID: "1005", Merged: pulls("a/b", scoring.Merged, 1, 3, 2)}
	out := scoring.Conclude(in)
	if got := outcomeOf(t, out, 5); got.FromStored || len(got.PullRequests) > 0 || got.Failed != input.SharedAccount {
		t.Errorf("failed %q, from stored %v, %d pull requests; want a shared account and nothing else", got.Failed, got.FromStored, len(got.PullRequests))
	}
	if len(out.FromStored) > 0 || !cmp.Equal(out.SharedAccount, []int{5, 6}) {
		t.Errorf("from stored %v, shared %v; want none and 5, 6", out.FromStored, out.SharedAccount)
	}
	for _, c := range out.Stored {
		if c.Evaluation != nil {
			t.Errorf("miner %d has a stored evaluation after the round", c.UID)
		}
	}
}

// Who goes on with stored pull requests starts with the stored issue figures of
// the repositories in which none of them is. Discovery renews those that it has
// something to say of, and the totals count the others as they were.
func TestStoredIssueFiguresOfOtherRepositories(t *testing.T) {
	t.Parallel()
	old := func(repo string, solved int) scoring.StoredRepository {
		return scoring.StoredRepository{Repository: repo, IssueFigures: scoring.IssueFigures{TotalSolvedIssues: solved, TotalOpenIssues: 1}}
	}
	in := roundOf(t, `{"a/b": {"emission_share": 0.4}, "a/c": {"emission_share": 0.3}, "a/d": {"emission_share": 0.3}}`,
		scoring.Evaluation{UID: 5, FetchFailed: true, Issues: &scoring.IssueAnswers{
			Listed: []scoring.Issue{solved("a/d", 1, 90)}, Solving: []scoring.SolvingScore{{Repository: "a/d", Number: 90, TokenScore: 50}},
		}})
	in.Stored[5] = scoring.StoredEvaluation{
		UID: 5, Hotkey: "hk5", GitHubID: "1005", Merged: pulls("a/b", scoring.Merged, 1, 3, 2),
		Repositories: []scoring.StoredRepository{old("a/b", 10), old("a/c", 20), old("a/d", 40)},
	}
	out := outcomeOf(t, scoring.Conclude(in), 5)
	got := map[string]int{"": out.TotalSolvedIssues, "open": out.TotalOpenIssues}
	for _, r := range out.Repositories {
		got[r.Repository] = r.TotalSolvedIssues
	}
	// a/b has pull requests, which begin anew; a/c has nothing new; a/d is renewed.
	if diff := cmp.Diff(map[string]int{"": 21, "open": 1, "a/b": 0, "a/c": 20, "a/d": 1}, got); diff != "" {
		t.Errorf("solved issues by repository (-want +got):\n%s", diff)
	}
}

// The stored multipliers are those of then: nothing decays anew.
func TestStoredPullRequestsDoNotDecayAnew(t *testing.T) {
	t.Parallel()
	old := pulls("a/b", scoring.Merged, 1, 3, 2)
	for i := range old {
		old[i].MergedAt, old[i].TimeDecayMultiplier = asOf.Add(-2000*time.Hour), 0.9
	}
	in := roundOf(t, `{"a/b": {"emission_share": 1}}`)
	in.Miners = []input.Miner{{UID: 5, Hotkey: "hk5", GitHubID: "1005", IdentityUnreachable: true}}
	in.Stored[5] = scoring.StoredEvaluation{UID: 5, Hotkey: "hk5", GitHubID: "1005", Merged: old}
	if got := outcomeOf(t, scoring.Conclude(in), 5).PullRequests[0]; got.EarnedScore != 2*0.9 {
		t.Errorf("got %v, want %v", got.EarnedScore, 2*0.9)
	}
}
