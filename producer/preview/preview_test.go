package preview_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/preview"
	"mirrorfleet/shared/gitdiff"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// setup is a change of a Go file, a C# file and a text, in a repository with labels.
func setup(t *testing.T) preview.Input {
	t.Helper()
	registry := must.Get(input.ParseRegistry([]byte(`{"acme/widgets": {"emission_share": 0.3, "label_multipliers": {"bug*": 1.5, "docs": 0.5},
		"additional_acceptable_branches": ["release/*"]}}`)))(t)
	repository, _ := registry.Repository("acme/widgets")
	weights := must.Get(tokens.ParseWeights(tokens.DefaultWeights()))(t)
	breakdown := &tokens.Breakdown{StructuralAddedCount: 20, StructuralAddedScore: 30, LeafAddedCount: 40, LeafAddedScore: 8}
	figures := tokens.Totals([]tokens.FileFigures{
		{Filename: "a.md", Method: tokens.MethodLineCount, Category: tokens.CategoryNonCode, Lines: 10, Nodes: 10, Score: 1.2},
		{Filename: "b.go", Method: tokens.MethodTreeDiff, Category: tokens.CategorySource, Lines: 30, Nodes: 60, Score: 38, Breakdown: breakdown},
		{Filename: "c.cs", Method: tokens.MethodTreeDiff, Category: tokens.CategorySource, Lines: 5, Breakdown: &tokens.Breakdown{}},
		{Filename: "d.go", Method: tokens.MethodSkipped, Category: tokens.CategoryNonCode, Lines: 3},
	})
	return preview.Input{
		Repository: repository,
		Weights:    must.Get(weights.Without([]string{"csharp"}))(t),
		Range:      gitdiff.Range{Base: "b", Head: "h", MergeBase: "m", Commits: 2},
		Figures:    &figures,
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	in := setup(t)
	p := preview.Of(in)
	want := []preview.Group{
		{Method: tokens.MethodTreeDiff, Language: "go", Files: 1, Lines: 30, Nodes: 60, Score: 38},
		{Method: tokens.MethodLineCount, Language: "md", Files: 1, Lines: 10, Nodes: 10, Score: 1.2},
		{Method: tokens.MethodSkipped, Language: "go", Files: 1, Lines: 3},
		{Method: tokens.MethodTreeDiff, Language: "csharp", Unloadable: true, Files: 1, Lines: 5},
	}
	if diff := cmp.Diff(want, p.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	// 25 x (1 - e^(-38 / 58)) = 12.016..., 5 x 39.2 / 1500 = 0.13
	if f := p.Formula; f == nil || f.Bonus != 0.13 || f.Score != 12.15 || f.Score != p.BaseScore {
		t.Errorf("formula %+v, base score %v, want 12.15", p.Formula, p.BaseScore)
	}
	if p.Label != nil || p.LabelMultiplier != 1 || p.IssueMultiplier != 1 || p.Earned != 12.15 || p.Collateral != 12.15*0.2 {
		t.Errorf("without label and issue: %+v", p)
	}
}

// --label and --issue fill what they fill, and the gates say which part of it is assumed.
func TestAssumed(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.Assumed = preview.Assumed{Labels: []string{"Bugfix", "docs", "other"}, Issue: preview.StandardIssue}
	p := preview.Of(in)
	if p.Label == nil || *p.Label != "bugfix" || p.LabelMultiplier != 1.5 || p.IssueMultiplier != 1.33 || p.Earned != p.BaseScore*(p.IssueMultiplier*p.LabelMultiplier) {
		t.Errorf("label %v %v, issue %v, earned %v", p.Label, p.LabelMultiplier, p.IssueMultiplier, p.Earned)
	}
	if g := gate(t, p, "label", preview.Passed); g.Value != `"bugfix" chosen, "docs" another-is-higher, "other" no-pattern-matches` {
		t.Errorf("label: %+v", g)
	}
	gate(t, p, "label", preview.Unknown) // whether a maintainer sets it
	gate(t, p, "linked issue", preview.Unknown)
	in.Assumed = preview.Assumed{Labels: []string{"other"}, Issue: preview.MaintainerIssue}
	p = preview.Of(in)
	gate(t, p, "label", preview.Failed)
	if p.IssueMultiplier != 1.66 || !p.Issue.ByMaintainer {
		t.Errorf("a maintainer's issue: %v %+v", p.IssueMultiplier, p.Issue)
	}
}

// What the change decides is judged; what only a pull request decides is not guessed.
func TestGates(t *testing.T) {
	t.Parallel()
	in := setup(t)
	in.Foreign = []string{"x.py", "y.py", "z.py", "w.py"}
	p := preview.Of(in)
	for _, name := range []string{"repository", "scored", "budget", "solved issue"} {
		gate(t, p, name, preview.Passed)
	}
	for _, name := range []string{"author", "merge", "base branch", "head branch", "review", "time", "eligibility", "open pull requests"} {
		if g := gate(t, p, name, preview.Unknown); g.Value != "" {
			t.Errorf("%s: value %q, want none", name, g.Value)
		}
	}
	if g := gate(t, p, "base branch", preview.Unknown); !strings.Contains(g.Required, "release/*") {
		t.Errorf("base branch: %+v", g)
	}
	if g := gate(t, p, "encoding", preview.Unknown); !strings.Contains(g.Required, "4 files") || !strings.Contains(g.Required, "z.py and 1 more") {
		t.Errorf("encoding: %+v", g)
	}

	in.Lacks = "the budget of 10s is spent"
	if g := gate(t, preview.Of(in), "budget", preview.Failed); g.Value != in.Lacks {
		t.Errorf("budget: %+v", g)
	}
	in.Lacks, in.Figures.Files[1].OutOfTime = "", true
	if g := gate(t, preview.Of(in), "budget", preview.Failed); g.Value != "1 file out of time" {
		t.Errorf("a text out of time: %+v", g)
	}
	in.Figures.TokenScore = 4.9
	gate(t, preview.Of(in), "solved issue", preview.Failed)

	in.Figures = nil
	p = preview.Of(in)
	gate(t, p, "scored", preview.Failed)
	if p.Scored || p.Base.Code != scoring.BaseNoFiles || p.Formula != nil || p.Earned != 0 || p.Groups == nil {
		t.Errorf("without files: %+v", p)
	}
	registry := must.Get(input.ParseRegistry([]byte(`{"a/b": {"emission_share": 0, "fixed_base_score": 7}}`)))(t)
	in.Repository = &registry.Repositories[0]
	p = preview.Of(in)
	gate(t, p, "repository", preview.Failed)
	gate(t, p, "scored", preview.Passed)
	if p.BaseScore != 7 || p.Base.Code != scoring.BaseFixed {
		t.Errorf("a fixed base score: %v %v", p.BaseScore, p.Base)
	}
}

func gate(t *testing.T, p preview.Preview, name string, state preview.State) preview.Gate {
	t.Helper()
	for _, g := range p.Gates {
		if g.Name == name && g.State == state {
			if g.Required == "" {
				t.Errorf("%s says not what is required", name)
			}
			return g
		}
	}
	t.Errorf("no gate %q that is %s among %+v", name, state, p.Gates)
	return preview.Gate{}
}
