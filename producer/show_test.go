package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/terminal"
)

var _ = flag.Bool("update", false, "write the golden files anew")

const (
	shownRound = "20260601t000000z-010203"
	openRound  = "20260602t000000z-010203" // planned, never concluded
)

var shownAsOf = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// stored is a state directory with one concluded round and one that is not.
func stored(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	servers := jobstreamtest.StartIn(t, dir)
	defer servers.Close()
	bus, nc := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	defer nc.Close()
	storeRound(t, bus)
	return dir
}

// storeRound concludes a round by scoring's own rules, and stores it as a producer does.
func storeRound(t *testing.T, bus *jobstream.Bus) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		must.Do(t, err)
	}
	reg, err := input.ParseRegistry([]byte(`{
		"acme/widgets": {"emission_share": 0.6, "issue_discovery_share": 0.25, "maintainer_cut": 0.1,
			"label_multipliers": {"bug*": 1.5, "docs": 0.5}, "trusted_label_pipeline": false,
			"eligibility": {"min_valid_merged_prs": 1, "min_credibility": 0.6, "min_issue_credibility": 0.6,
				"min_valid_solved_issues": 1, "min_token_score_for_valid_issue": 5}},
		"acme/silent-repository-with-a-name-that-is-as-long-as-github-lets-a-repository-name-be-and-more": {"emission_share": 0.2}}`))
	must(err)
	miners := []input.Miner{
		{UID: 0, Hotkey: "hk0", GitHubID: "1000"},
		{UID: 5, Hotkey: "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty", GitHubID: "1005"},
		{UID: 6, Hotkey: "hk6", GitHubID: "1006"},
		{UID: 7, Hotkey: "hk7", GitHubID: "1007", Token: input.TokenNone},
		{UID: 8, Hotkey: "hk8", GitHubID: "1008"},
	}
	in := scoring.RoundInput{
		AsOf: shownAsOf, Miners: miners, Registry: reg,
		Evaluations: map[int]scoring.Evaluation{5: busyMiner(reg), 6: {
			UID: 6, Hotkey: "hk6", GitHubID: "1006", Merged: scoreAll([]scoring.PullRequest{merge(30, "1006")}, reg), Issues: &scoring.IssueAnswers{},
		}},
		Maintainers: map[string][]scoring.Maintainer{"acme/widgets": {{GitHubID: "1008", Association: "OWNER"}}},
	}
	for uid, e := range in.Evaluations {
		key := job.EvaluationKey(shownRound, uid, "claim")
		must(bus.Evaluations.Put(t.Context(), key, job.Evaluation{Round: shownRound, UID: uid, Claim: "claim", Evaluation: e}))
		record := job.Plan(shownRound, uid, "")
		record.Phase, record.Evaluation = job.Done, key
		_, err := bus.Records.Plan(t.Context(), record)
		must(err)
	}
	letter := job.DeadLetter{Round: shownRound, UID: 8, Class: job.Permanent, Error: "the mirror answered 404", Attempts: 1}
	must(bus.Letters.Publish(t.Context(), letter))
	failed := job.Plan(shownRound, 8, "")
	failed.Phase, failed.Failure = job.Failed, &job.Failure{Class: letter.Class, Error: letter.Error}
	_, err = bus.Records.Plan(t.Context(), failed)
	must(err)
	data, err := json.Marshal(outcome.Result{
		Version: job.Version, Round: shownRound, Revision: 1, AsOf: shownAsOf, Planned: 3, Done: 2, Failed: 1,
		Rules: scoring.RulesVersion, PlannedRules: scoring.FirstRules,
		DeadLetters: []job.DeadLetter{letter}, Outcome: scoring.Conclude(in),
		Degraded: []outcome.Degraded{{UID: 5, Missing: []job.Missing{
			{What: "files acme/widgets#14", Cause: job.Unanswered, Error: "503"},
			{What: "files acme/widgets#13", Cause: job.OutOfBudget, Error: "1 of its files took too much processor time to parse, the first internal/pipe/bend.go"},
		}}},
	})
	must(err)
	for _, name := range []string{shownRound, openRound} {
		must(bus.Rounds.CreateManifest(t.Context(), job.Manifest{
			Round: name, AsOf: shownAsOf, PlannedAt: time.Now().Add(-75 * time.Second), Miners: miners[1:], Registry: json.RawMessage("{}"), Languages: json.RawMessage("{}"), Tokens: json.RawMessage("{}"),
		}))
	}
	must(bus.Outcomes.Put(t.Context(), shownRound, 1, data))
}

func merge(number int, author string) scoring.PullRequest {
	return scoring.PullRequest{
		Repository: "acme/widgets", Number: number, State: scoring.Merged, AuthorID: author, AuthorAssociation: "NONE",
		CreatedAt: shownAsOf.Add(-96 * time.Hour), MergedAt: shownAsOf.Add(-72 * time.Hour), BaseRef: "main", DefaultBranch: "main",
		ScoringDataStored: true,
	}
}

// A round that runs is shown as far as it is known, and so are its jobs: one that a worker has, with
// what it does, one in the queue, and a miner without a job.
func TestShowOfARoundThatRuns(t *testing.T) {
	t.Parallel()
	url, bus := listed(t)
	must.Get(bus.Holders.Set(t.Context(), openRound, job.Holder{Name: "host-7/x", For: time.Hour}, 0))(t)
	record := must.Get(job.Plan(openRound, 5, "").Claimed(job.Claim{ID: "c", Worker: "w1", Sequence: 1, Delivery: 1}))(t)
	must.Get(bus.Records.Plan(t.Context(), record))(t)
	must.Get(bus.Records.Plan(t.Context(), job.Plan(openRound, 6, "")))(t)
	at := []job.WorkerJob{{Round: openRound, UID: 5, Doing: doing.State{What: "files of acme/widgets#12", Waits: doing.Permit, Place: 3}}}
	must.Do(t, bus.Presence.Show(t.Context(), "p1", job.Worker{Name: "w1", Jobs: at}))
	_, _, err := bus.Steering.Change(t.Context(), func(s job.Steer) (job.Steer, bool) {
		return s.PauseRound(job.RoundStop{Round: openRound, Stop: job.Stop{By: "op@h", At: time.Now(), Reason: "moving"}})
	})
	must.Do(t, err)
	for _, c := range []struct {
		schema string
		args   []string
		want   []string
	}{
		{"RoundNow", []string{openRound}, []string{
			"producer host-7 runs it", "0/3 done, 0 failed, 1 running, 2 queued", "paused by op@h",
			"miner 5     running  attempt 1  w1  permit, 3rd in line",
		}},
		{"JobNow", []string{openRound, "5"}, []string{"which is running", "permit, 3rd in line", "paused by op@h", "The job is running: 1 attempt"}},
		{"JobNow", []string{openRound, "6"}, []string{"The job waits for a worker."}},
		{"JobNow", []string{openRound, "7"}, []string{"no job in this round: no stored token"}},
	} {
		args := append([]string{"show", "--nats", url}, c.args...)
		text, stderr, code := inProcess(t, terminal.Style{}, args...)
		for _, want := range c.want {
			if code != 0 || !strings.Contains(text, want) {
				t.Errorf("%v: exit %d, want 0 with %q\n%s%s", c.args, code, want, text, stderr)
			}
		}
		data, stderr, code := inProcess(t, terminal.Style{}, append(args, "--json")...)
		if err := webtest.Printed(c.schema, data); err != nil || code != 0 {
			t.Errorf("%v --json: exit %d, %v\n%s%s", c.args, code, err, data, stderr)
		}
	}
}

// busyMiner has a pull request and an issue of each kind.
func busyMiner(reg input.Registry) scoring.Evaluation {
	full := merge(12, "1005")
	full.Title = "Bend the pipe\x1b[31m: a title that would colour the terminal, and goes on for longer than one line of it"
	full.MaintainerChangesRequestedCount = 1
	full.Labels = []scoring.Label{
		{Name: "Bug: crash", ActorAssociation: "OWNER"}, {Name: "docs", ActorAssociation: "MEMBER"},
		{Name: "bug: by a stranger", ActorAssociation: "NONE"}, {Name: "unknown", ActorAssociation: "OWNER"},
	}
	full.LinkedIssues = []scoring.LinkedIssue{
		{Number: 3, State: scoring.Closed, StateReason: scoring.Completed, AuthorID: new("77"), AuthorAssociation: "OWNER"},
		{Number: 4, State: scoring.Closed, StateReason: scoring.Completed, AuthorID: new("1005")},
	}
	open := merge(13, "1005")
	closed := merge(15, "1005")
	bare := merge(14, "1005")
	dropped := merge(16, "1005")
	open.State, open.MergedAt = scoring.Open, time.Time{}
	closed.State, closed.MergedAt = scoring.Closed, time.Time{}
	bare.ScoringDataStored = false
	dropped.BaseRef = "dev"
	loaded := scoring.Load([]scoring.PullRequest{full, open, bare, closed, dropped}, reg)
	three, merged := 30, shownAsOf.Add(-72*time.Hour)
	issue := func(number int, reason string) scoring.Issue {
		return scoring.Issue{
			Repository: "acme/widgets", Number: number, State: scoring.Closed, StateReason: reason, AuthorID: "1005",
			CreatedAt: shownAsOf.Add(-100 * time.Hour), SolvedByPR: &three,
			Solving: &scoring.SolvingPullRequest{Number: three, AuthorID: "1006", State: scoring.Merged, MergedAt: merged},
		}
	}
	return scoring.Evaluation{
		UID: 5, Hotkey: "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty", GitHubID: "1005",
		Merged: scoreAll(loaded.Merged, reg), Open: scoreAll(loaded.Open, reg), Closed: scoreAll(loaded.Closed, reg),
		Dropped: loaded.Dropped,
		Issues: &scoring.IssueAnswers{
			Listed:  []scoring.Issue{issue(8, scoring.Completed), issue(9, scoring.Completed), issue(10, "NOT_PLANNED")},
			Open:    map[string]int{"acme/widgets": 1},
			Solving: []scoring.SolvingScore{{Repository: "acme/widgets", Number: three, BaseScore: 12.5, TokenScore: 40}},
		},
	}
}

// scoreAll scores pull requests. Those with stored data all have the same files.
func scoreAll(pulls []scoring.PullRequest, reg input.Registry) []scoring.ScoredPullRequest {
	var list []scoring.ScoredPullRequest
	for _, pr := range pulls {
		var scored *tokens.Figures
		if pr.ScoringDataStored {
			figures := tokens.Totals([]tokens.FileFigures{
				{
					Filename: "internal/pipe/bend\x1b[2J.go", Method: tokens.MethodTreeDiff, Category: tokens.CategorySource, Score: 61.5, Nodes: 34, Lines: 40,
					Breakdown: &tokens.Breakdown{StructuralAddedCount: 4, StructuralAddedScore: 40.25, LeafAddedCount: 29, LeafAddedScore: 21, LeafDeletedCount: 1, LeafDeletedScore: 0.25},
					OutOfTime: pr.State == scoring.Open, // its base
					Largest: []tokens.Contribution{
						{Type: "function_declaration", Added: 4, Score: 40.25}, {Type: "identifier", Leaf: true, Added: 20, Deleted: 1, Score: 18.5},
					},
				},
				{Filename: strings.Repeat("a-very-long-folder/", 6) + "README.md", Method: tokens.MethodLineCount, Category: tokens.CategoryNonCode, Score: 1.2, Lines: 12},
			})
			scored = &figures
		}
		repo, _ := reg.Repository(pr.Repository)
		list = append(list, scoring.Score(pr, repo, scored, shownAsOf))
	}
	return list
}

// The JSON has what the outcome has: a miner with its reasons, the path to its reward,
// and a pull request with its files.
func TestShowJSON(t *testing.T) {
	t.Parallel()
	dir := stored(t)
	decode := func(into any, args ...string) {
		t.Helper()
		got := run(t, "producer", append([]string{"show", "--local", "--state", dir, "--json"}, args...)...)
		if err := json.Unmarshal([]byte(got.stdout), into); err != nil || got.code != 0 {
			t.Fatalf("%v: exit %d, %v\n%s%s", args, got.code, err, got.stdout, got.stderr)
		}
	}
	var whole view.Outcome
	if decode(&whole, shownRound); whole.Round != shownRound || len(whole.Outcome.Miners) != 5 {
		t.Errorf("round %q with %d miners, want %q with 5", whole.Round, len(whole.Outcome.Miners), shownRound)
	}
	var miner view.Miner
	decode(&miner, shownRound, "5")
	if diff := cmp.Diff(whole.Outcome.Miners[1].PullRequests, miner.Outcome.PullRequests); diff != "" || miner.UID != 5 {
		t.Errorf("uid %d, pull requests (-outcome +shown):\n%s", miner.UID, diff)
	}
	sum := 0.0
	for _, r := range miner.Rewards.Repositories {
		sum += r.Pulls.Reward + r.Issues.Reward
	}
	if want := whole.Outcome.Rewards[1].Reward; miner.Rewards.Reward != want || sum != want || sum <= 0 {
		t.Errorf("the path leads to %v of a reward of %v, want %v", sum, miner.Rewards.Reward, want)
	}
	var pull view.PullRequest
	decode(&pull, shownRound, "5", "--pr", "acme/widgets#12")
	if p := pull.PullRequest; p.Tokens == nil || len(p.Tokens.Files) != 2 || p.Tokens.Files[0].Breakdown == nil || p.EarnedScore <= 0 {
		t.Errorf("shown %+v, want two files with their figures and what it earned", p)
	}
}

// A replay's evaluation may be of another commit than an earlier revision. Its files are
// then not the scored ones.
func TestShowHidesFilesOfAnotherCommit(t *testing.T) {
	t.Parallel()
	url := jobstreamtest.Start(t).NATSURL()
	bus, _ := jobstreamtest.Open(t, url, jobstream.Config{})
	storeRound(t, bus)
	key := job.EvaluationKey(shownRound, 5, "claim")
	kept, err := bus.Evaluations.Load(t.Context(), key)
	must.Do(t, err)
	kept.Evaluation.Merged[0].Listed = &scoring.Listed{HeadSHA: "another"}
	must.Do(t, bus.Evaluations.Put(t.Context(), key, kept))
	got := run(t, "producer", "show", "--nats", url, "--json", shownRound, "5", "--pr", "acme/widgets#12")
	var pull view.PullRequest
	if err := json.Unmarshal([]byte(got.stdout), &pull); err != nil {
		t.Fatalf("%v\n%s%s", err, got.stdout, got.stderr)
	}
	if pull.PullRequest.Tokens != nil || pull.NoFiles != "the evaluation that is kept is of another commit" {
		t.Errorf("files %+v, because %q, want none of another commit", pull.PullRequest.Tokens, pull.NoFiles)
	}
}

// A request for something that does not exist is wrong input. The error lists what does
// exist.
func TestShowUnknown(t *testing.T) {
	t.Parallel()
	dir, empty := stored(t), t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"no round", nil, []string{"which round"}},
		{"unknown round", []string{"r9"}, []string{"r9", shownRound, openRound}},
		{"not concluded", []string{openRound, "--revision", "1"}, []string{openRound, "--resume"}},
		{"a pull request of a round that is not concluded", []string{openRound, "5", "--pr", "acme/widgets#12"}, []string{openRound, "--resume"}},
		{"unknown uid of a round that is not concluded", []string{openRound, "9"}, []string{"uid 9", "5, 6, 7, 8"}},
		{"unknown uid", []string{"latest", "9"}, []string{"uid 9", "0, 5, 6, 7, 8"}},
		{"no uid", []string{"latest", "five"}, []string{"five", "whole number"}},
		{"one too many", []string{"latest", "5", "6"}, []string{`unexpected argument "6"`}},
		{"unknown pull request", []string{"latest", "5", "--pr", "acme/widgets#99"}, []string{"acme/widgets#99", "acme/widgets#12", "acme/widgets#16"}},
		{"pull request of nobody", []string{"latest", "--pr", "acme/widgets#99"}, []string{"acme/widgets#99", "UID"}},
		{"a miner without", []string{"latest", "7", "--pr", "acme/widgets#99"}, []string{"miner 7 has no pull request"}},
		{"no pull request", []string{"latest", "5", "--pr", "widgets"}, []string{"widgets", "owner/repo#n"}},
		{"two servers", []string{"latest", "--nats", "nats://x"}, []string{"--nats", "--local"}},
		{"no state", []string{"latest", "--state", empty}, []string{empty, "no local round"}},
	} {
		got := run(t, "producer", append([]string{"show", "--local", "--state", dir}, c.args...)...)
		if got.code != 2 || got.stdout != "" {
			t.Errorf("%s: exit %d, want 2 and nothing on standard output\n%s%s", c.name, got.code, got.stdout, got.stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("%s: the message does not name %q:\n%s", c.name, want, got.stderr)
			}
		}
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("a directory without rounds was filled: %v, %v", left, err)
	}
	if got := run(t, "producer", "show", "latest"); got.code != 2 || !strings.Contains(got.stderr, "--nats") {
		t.Errorf("without servers: exit %d, want 2 and --nats\n%s", got.code, got.stderr)
	}
}

// A state directory belongs to one process. While it runs, commands read from its NATS,
// whether they are given the directory or the address. No other process can run a round
// there.
func TestShowOfADirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := stored(t)
	servers := jobstreamtest.StartIn(t, dir)
	for _, where := range [][]string{{"--local", "--state", dir}, {"--nats", servers.NATSURL()}} {
		got := run(t, "producer", append([]string{"show", "latest", "5"}, where...)...)
		if got.code != 0 || !strings.Contains(got.stdout, "Miner 5") {
			t.Errorf("%v: exit %d, want 0 and miner 5\n%s%s", where, got.code, got.stdout, got.stderr)
		}
	}
	got := run(t, "producer", "run", "--local", "--state", dir)
	if holder := fmt.Sprintf("process %d", os.Getpid()); got.code != 2 || !strings.Contains(got.stderr, "in use by "+holder) {
		t.Errorf("exit %d, want 2 and that %s has it\n%s", got.code, holder, got.stderr)
	}
}
