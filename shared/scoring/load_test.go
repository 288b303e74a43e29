package scoring_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring"
)

// asOf is the instant of the tests' rounds.
var asOf = time.Date(2026, 6, 18, 18, 0, 0, 0, time.UTC)

// merged is a pull request of a/b that passes every rule, then changed.
func merged(change func(*scoring.PullRequest)) scoring.PullRequest {
	pr := scoring.PullRequest{
		Repository: "a/b", Number: 7, State: scoring.Merged, AuthorID: "42", AuthorLogin: "ann", AuthorAssociation: "CONTRIBUTOR",
		CreatedAt: asOf.Add(-48 * time.Hour), MergedAt: asOf.Add(-24 * time.Hour), MergedByLogin: "bob",
		BaseRef: "main", HeadRef: "fix", HeadRepository: "ann/b", DefaultBranch: "main", ScoringDataStored: true,
	}
	if change != nil {
		change(&pr)
	}
	return pr
}

func TestMergeGate(t *testing.T) {
	t.Parallel()
	reg := registry(t, `{"a/b": {"emission_share": 0.5, "additional_acceptable_branches": ["*-dev"]}}`)
	tests := []struct {
		name   string
		change func(*scoring.PullRequest)
		want   scoring.Code // "" for loaded
	}{
		{"whole", nil, ""},
		{"no merged_at", func(p *scoring.PullRequest) { p.MergedAt = time.Time{} }, scoring.DropNoMergedAt},
		{"no merged_at goes first", func(p *scoring.PullRequest) { p.MergedAt, p.BaseRef = time.Time{}, "x" }, scoring.DropNoMergedAt},
		{"self-merged", func(p *scoring.PullRequest) { p.MergedByLogin = "ANN" }, scoring.DropSelfMerged},
		{"self-merged and approved", func(p *scoring.PullRequest) { p.MergedByLogin, p.ApprovedCount = "ann", 1 }, ""},
		{"merged by nobody", func(p *scoring.PullRequest) { p.MergedByLogin, p.AuthorLogin = "", "" }, ""},
		{"self-merged before branch", func(p *scoring.PullRequest) { p.MergedByLogin, p.BaseRef = "ann", "x" }, scoring.DropSelfMerged},
		{"other base", func(p *scoring.PullRequest) { p.BaseRef = "feature" }, scoring.DropBaseBranch},
		{"no base", func(p *scoring.PullRequest) { p.BaseRef = "" }, scoring.DropBaseBranch},
		{"base by glob", func(p *scoring.PullRequest) { p.BaseRef = "x-dev" }, ""},
		{"base in another case", func(p *scoring.PullRequest) { p.BaseRef = "Main" }, scoring.DropBaseBranch},
		{"default branch absent is main", func(p *scoring.PullRequest) { p.DefaultBranch = "" }, ""},
		{"default branch of its own", func(p *scoring.PullRequest) { p.DefaultBranch = "trunk" }, scoring.DropBaseBranch},
		{"from an acceptable branch", func(p *scoring.PullRequest) { p.HeadRef, p.HeadRepository = "x-dev", "a/b" }, scoring.DropHeadBranch},
		{"from a fork's acceptable branch", func(p *scoring.PullRequest) { p.HeadRef = "x-dev" }, ""},
		{"from a branch of the repository", func(p *scoring.PullRequest) { p.HeadRepository = "a/b" }, ""},
		{"no head", func(p *scoring.PullRequest) { p.HeadRef, p.HeadRepository = "", "a/b" }, ""},
		{"unknown repository", func(p *scoring.PullRequest) { p.Repository = "a/c" }, scoring.DropUnknownRepository},
		{"by a maintainer", func(p *scoring.PullRequest) { p.AuthorAssociation = "MEMBER" }, scoring.DropMaintainer},
		{"by a stranger", func(p *scoring.PullRequest) { p.AuthorAssociation = "" }, ""},
		{"unknown state", func(p *scoring.PullRequest) { p.State = "DRAFT" }, scoring.DropUnknownState},
		{"open passes no gate", func(p *scoring.PullRequest) {
			p.State = scoring.Open
			p.BaseRef = "x"
			p.MergedAt = time.Time{}
		}, ""},
		{"closed passes no gate", func(p *scoring.PullRequest) { p.State, p.BaseRef = scoring.Closed, "x" }, ""},
	}
	for _, tt := range tests {
		loaded := scoring.Load([]scoring.PullRequest{merged(tt.change)}, reg)
		var got scoring.Code
		if len(loaded.Dropped) == 1 {
			got = loaded.Dropped[0].Reason.Code
		}
		kept := len(loaded.Merged) + len(loaded.Open) + len(loaded.Closed)
		if got != tt.want || kept != 1-len(loaded.Dropped) {
			t.Errorf("%s: got %q with %d loaded, want %q", tt.name, got, kept, tt.want)
		}
	}
}

func TestLoadKeepsTheOrderReceived(t *testing.T) {
	t.Parallel()
	reg := registry(t, `{"a/b": {"emission_share": 0.5}}`)
	var pulls []scoring.PullRequest
	for i, state := range []scoring.State{"OPEN", "MERGED", "CLOSED", "OPEN", "BOGUS", "MERGED", "CLOSED", "MERGED"} {
		pulls = append(pulls, merged(func(p *scoring.PullRequest) { p.Number, p.State = 100-i, state }))
	}
	loaded := scoring.Load(pulls, reg)
	numbers := func(list []scoring.PullRequest) []int {
		var n []int
		for _, p := range list {
			n = append(n, p.Number)
		}
		return n
	}
	got := [][]int{numbers(loaded.Merged), numbers(loaded.Open), numbers(loaded.Closed)}
	if diff := cmp.Diff([][]int{{99, 95, 93}, {100, 97}, {98, 94}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want := []scoring.Dropped{{Repository: "a/b", Number: 96, State: "BOGUS", Reason: scoring.Reason{
		Code: scoring.DropUnknownState, Values: map[string]string{"state": "BOGUS"},
	}}}
	if diff := cmp.Diff(want, loaded.Dropped); diff != "" {
		t.Errorf("dropped, -want +got:\n%s", diff)
	}
}
