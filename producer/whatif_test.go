package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/terminal"
)

const keptRound = "20260604t000000z-010203"

const keptRegistry = `{"acme/widgets": {"emission_share": 0.6, "issue_discovery_share": 0.25, "label_multipliers": {"bug*": 1.5},
	"eligibility": {"min_valid_merged_prs": 1, "min_credibility": 0.5}}}`

// storeKept concludes a round and keeps all that it was made of. In it two miners share a
// repository; one of them has an open pull request, and one that its author merged.
func storeKept(t *testing.T, bus *jobstream.Bus) {
	t.Helper()
	reg := must.Get(input.ParseRegistry([]byte(keptRegistry)))(t)
	in := scoring.RoundInput{AsOf: shownAsOf, Registry: reg, Evaluations: map[int]scoring.Evaluation{}}
	r := outcome.Result{
		Version: job.Version, Round: keptRound, Revision: 1, AsOf: shownAsOf, Planned: 2, Done: 2, Complete: true, Rules: scoring.RulesVersion,
	}
	for uid := 5; uid <= 6; uid++ {
		m := input.Miner{UID: uid, Hotkey: fmt.Sprint("hk", uid), GitHubID: fmt.Sprint(1000 + uid)}
		in.Miners = append(in.Miners, m)
		pulls := []scoring.PullRequest{merge(uid*10, m.GitHubID), merge(uid*10+1, m.GitHubID), merge(uid*10+2, m.GitHubID)}
		pulls[1].State, pulls[1].MergedAt = scoring.Open, time.Time{}
		pulls[2].AuthorLogin, pulls[2].MergedByLogin = "somebody", "Somebody"
		loaded := scoring.Load(pulls, reg)
		e := scoring.Evaluation{
			UID: uid, Hotkey: m.Hotkey, GitHubID: m.GitHubID, Received: scoring.Facts(pulls), Dropped: loaded.Dropped,
			Merged: scoreAll(loaded.Merged, reg), Open: scoreAll(loaded.Open, reg), Issues: &scoring.IssueAnswers{},
		}
		key := job.EvaluationKey(keptRound, uid, "claim")
		must.Do(t, bus.Evaluations.Put(t.Context(), key, job.Evaluation{Version: job.Version, Round: keptRound, UID: uid, Claim: "claim", Evaluation: e}))
		kept, digest, err := bus.Evaluations.LoadDigest(t.Context(), key)
		must.Do(t, err)
		in.Evaluations[uid] = kept.Evaluation
		r.Evaluations = append(r.Evaluations, outcome.Part{UID: uid, Key: key, SHA256: digest})
	}
	must.Do(t, bus.Rounds.CreateManifest(t.Context(), job.Manifest{
		Round: keptRound, AsOf: shownAsOf, PlannedAt: shownAsOf, Miners: in.Miners, Registry: json.RawMessage(keptRegistry),
		Languages: json.RawMessage("{}"), Tokens: json.RawMessage("{}"),
	}))
	must.Do(t, bus.Rounds.PutSnapshot(t.Context(), keptRound, map[int]scoring.StoredEvaluation{}))
	r.Outcome = scoring.Conclude(in)
	must.Do(t, bus.Outcomes.Put(t.Context(), keptRound, 1, must.Get(r.Encode())(t)))
}

// Each page as it was when somebody read it and found it right, with its JSON as described.
func TestWhatIfPages(t *testing.T) {
	t.Parallel()
	url := jobstreamtest.Start(t).NATSURL()
	bus, _ := jobstreamtest.Open(t, url, jobstream.Config{})
	storeKept(t, bus)
	registry := filepath.Join(t.TempDir(), "registry.json")
	must.Do(t, os.WriteFile(registry, []byte(strings.Replace(keptRegistry, "1.5", "2.5", 1)), 0o600))
	for _, c := range []struct {
		name, schema string
		width        int
		args         []string
	}{
		{"what-if", "WhatIf", 80, []string{"--merge", "acme/widgets#51", "--label", "acme/widgets#50=bug"}},
		{"what-if.wide", "WhatIf", 140, []string{"--merge", "acme/widgets#51", "--label", "acme/widgets#50=bug"}},
		{"what-if-nothing", "WhatIf", 80, []string{"--with-registry", registry}},
		{"what-if-levers", "Levers", 80, nil},
	} {
		args := append([]string{"what-if", keptRound, "5", "--nats", url}, c.args...)
		got, stderr, code := inProcess(t, terminal.Style{Width: c.width}, args...)
		if code != 0 {
			t.Errorf("%s: exit %d\n%s", c.name, code, stderr)
		}
		for line := range strings.SplitSeq(got, "\n") {
			if n := utf8.RuneCountInString(line); n > c.width {
				t.Errorf("%s: %d characters: %q", c.name, n, line)
			}
		}
		commandtest.Golden(t, filepath.Join("testdata", "lists", c.name+".txt"), got)
		got, _, _ = inProcess(t, terminal.Style{}, append(args, "--json")...)
		if err := webtest.Printed(c.schema, got); err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, got)
		}
	}
}

// What cannot be is wrong usage, what was not kept a failure; both say why.
func TestWhatIfRefuses(t *testing.T) {
	t.Parallel()
	url := jobstreamtest.Start(t).NATSURL()
	bus, _ := jobstreamtest.Open(t, url, jobstream.Config{})
	storeKept(t, bus)
	storeRound(t, bus)
	for _, c := range []struct {
		name, want string
		code       int
		args       []string
	}{
		{"no round", "which round", 2, nil},
		{"no miner", "which miner", 2, []string{keptRound}},
		{"an unknown miner", "its uids are 5, 6", 2, []string{keptRound, "9"}},
		{"an unknown round", keptRound, 2, []string{"r9", "5"}},
		{"no pull request", `--merge "widgets": want owner/repo#7`, 2, []string{keptRound, "5", "--merge", "widgets"}},
		{"a merge before the creation", "before its creation", 2, []string{keptRound, "5", "--merge", "acme/widgets#51=2026-05-01T00:00:00Z"}},
		{"no registry", "with-registry", 2, []string{keptRound, "5", "--with-registry", t.TempDir()}},
		{"a dropped one", "files of acme/widgets#52", 1, []string{keptRound, "5", "--approve", "acme/widgets#52"}},
		{"a round that is not kept whole", "did not keep", 1, []string{shownRound, "5", "--merge", "acme/widgets#13"}},
	} {
		stdout, stderr, code := inProcess(t, terminal.Style{}, append(append([]string{"what-if"}, c.args...), "--nats", url)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d saying %q, want %d with %q and no output", c.name, code, stderr, c.code, c.want)
		}
	}
	var levers view.Levers
	text, _, _ := inProcess(t, terminal.Style{}, "what-if", keptRound, "5", "--nats", url, "--json")
	if err := json.Unmarshal([]byte(text), &levers); err != nil || len(levers.Levers) == 0 || len(levers.NotKept) != 1 {
		t.Errorf("levers %+v, %v, want some, and that the files of the dropped one were not kept", levers, err)
	}
}
