package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// byTheRules is an evaluation of one merged pull request, with what it was scored from.
func byTheRules(j job.Job, registry input.Registry) job.Evaluation {
	pulls := []scoring.PullRequest{{
		Repository:        "a/b",
		Number:            j.UID,
		State:             scoring.Merged,
		AuthorID:          j.GitHubID,
		CreatedAt:         asOf.Add(-48 * time.Hour),
		MergedAt:          asOf.Add(-time.Hour),
		MergedByLogin:     "merger",
		BaseRef:           "main",
		ScoringDataStored: true,
	}}
	figures := tokens.Totals([]tokens.FileFigures{{
		Filename:  "new.go",
		Method:    tokens.MethodTreeDiff,
		Category:  tokens.CategorySource,
		Score:     50,
		Breakdown: &tokens.Breakdown{StructuralAddedCount: 4, StructuralAddedScore: 50},
	}})
	repo, _ := registry.Repository("a/b")
	e := roundtest.Evaluated(j, "")
	e.Evaluation.Received = scoring.Facts(pulls)
	e.Evaluation.Merged = []scoring.ScoredPullRequest{scoring.Score(pulls[0], repo, &figures, asOf)}
	return e
}

// The levers of a miner of a stored round, and the what-if of the first one: it gives the
// reward that the lever promises, and stores nothing. What cannot be is refused, and what
// was not kept is named.
func TestWhatIf(t *testing.T) {
	t.Parallel()
	b := setup(t)
	registry := must.Get(input.ParseRegistry(b.Plan(t, now).Registry))(t)
	b.Evaluate = func(j job.Job) job.Evaluation { return byTheRules(j, registry) }
	b.Work(t)
	b.Concluded(t, now)
	const miner = "/api/v1/rounds/latest/miners/1"
	rewards := b.ask(t, http.MethodGet, "/api/v1/rounds/latest/rewards", "")
	levers := into[view.Levers](t, b.ask(t, http.MethodGet, miner+"/levers", ""))
	if len(levers.Levers) == 0 || levers.Levers[0].Flag != "--link a/b#1=maintainer" || levers.Levers[0].Gain <= 0 {
		t.Fatalf("levers %+v, want first that a new issue of a maintainer is linked", levers)
	}
	whatIf := func(body string) said {
		t.Helper()
		return b.ask(t, http.MethodPost, miner+"/what-if", body)
	}
	changed := into[view.WhatIf](t, whatIf(`{"link": ["a/b#1=maintainer"]}`))
	if got := changed.Then.Rewards.Reward; got != levers.Levers[0].Reward || len(changed.Miners) != 2 || len(changed.Pulls) != 1 {
		t.Errorf("the what-if gives %v (%+v), want %v, from the other miner, by one pull request", got, changed, levers.Levers[0].Reward)
	}
	if got := into[view.WhatIf](t, whatIf(`{"registry": {"a/b": {"emission_share": 0.4}}}`)); len(got.Changes) != 1 || len(got.Miners) == 0 {
		t.Errorf("by another registry: %+v, want other rewards", got)
	}
	if again := b.ask(t, http.MethodGet, "/api/v1/rounds/latest/rewards", ""); again.body != rewards.body {
		t.Errorf("the rewards are now %s, want them as they were: %s", again.body, rewards.body)
	}
	for body, want := range map[string]struct {
		status int
		says   string
	}{
		`{"merge": ["a/b"]}`:    {http.StatusBadRequest, "want owner/repo#7"},
		`{"merge": ["a/b#1"]}`:  {http.StatusBadRequest, "it is merged already"},
		`{"merged": ["a/b#1"]}`: {http.StatusBadRequest, "merge, close"},
		`{"link": ["a/b#1=3"]}`: {http.StatusConflict, "issue a/b#3"},
	} {
		if got := whatIf(body); got.status != want.status || !strings.Contains(got.body, want.says) {
			t.Errorf("%s: %d %s, want %d that says %q", body, got.status, got.body, want.status, want.says)
		}
	}
	for method, route := range map[string]string{http.MethodGet: "levers", http.MethodPost: "what-if"} {
		if got := b.ask(t, method, "/api/v1/rounds/latest/miners/9/"+route, ""); got.status != http.StatusNotFound {
			t.Errorf("%s of a miner that is not there: %d %s, want 404", route, got.status, got.body)
		}
	}
}
