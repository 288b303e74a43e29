package round_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// unidentified are miners for whom GitHub has not answered. One has a kept answer, one an
// account that is recorded with its token, one nothing.
func unidentified(asOf time.Time) []input.Miner {
	return []input.Miner{
		{UID: 0, Hotkey: "h0"},
		{UID: 1, Hotkey: "h1", GitHubID: "101"},
		{UID: 4, Hotkey: "h4", GitHubID: "104", IdentityKeptAt: asOf.Add(-3 * time.Hour)},
		{UID: 5, Hotkey: "h5", GitHubID: "105", IdentityUnreachable: true},
		{UID: 6, Hotkey: "h6", IdentityUnreachable: true},
	}
}

// github answers for some of the miners that it is asked about, and remembers the
// resulting jobs.
type github struct {
	mu      sync.Mutex
	answers []input.Miner
	jobs    []job.Job
}

// asked has a worker run the jobs, and has GitHub answer in the given way.
func asked(t *testing.T, answers ...input.Miner) (*bundle, *github) {
	t.Helper()
	b, g := setup(t, jobstream.Config{}), &github{answers: answers}
	b.work(t, g.handler)
	return b, g
}

// asking lets a producer ask GitHub.
func (g *github) asking(c *round.Config) { c.Identify = g.identify }

func (g *github) identify(_ context.Context, asking []input.Miner) ([]input.Miner, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.answers), func(m input.Miner) bool {
		return !slices.ContainsFunc(asking, func(asked input.Miner) bool { return asked.UID == m.UID })
	}), nil
}

func (g *github) handler(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.jobs = append(g.jobs, j)
	e := evaluated(j, 10)
	e.Evaluation.FetchFailed = j.IssuesOnly
	return e, nil
}

// run lists the miners whose jobs were run since the last call, with their accounts.
func (g *github) run() map[int]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	ran := map[int]string{}
	for _, j := range g.jobs {
		ran[j.UID] = j.GitHubID
	}
	g.jobs = nil
	return ran
}

// GitHub answers for nobody, and nothing is stored. The round is incomplete and names the
// miners. It once counted as complete, with 90 % of the emission recycled.
func TestUnknownIdentitiesLeaveARoundIncomplete(t *testing.T) {
	t.Parallel()
	b, _ := asked(t)
	asOf := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	got, err := b.runner(t).Start(deadline(t), b.plan(t, unidentified(asOf)...))
	must.Do(t, err)
	want := []outcome.UnknownIdentity{
		{UID: 4, GitHubID: "104", KeptAt: asOf.Add(-3 * time.Hour), Age: 3 * 3600}, {UID: 5, GitHubID: "105"}, {UID: 6},
	}
	if diff := cmp.Diff(want, got.UnknownIdentities); diff != "" {
		t.Errorf("unknown identities (-want +got):\n%s", diff)
	}
	if got.Complete || got.Failed != 0 || len(got.Degraded) != 0 {
		t.Errorf("complete %v, %d failed, %d degraded; want an incomplete round of which no job failed", got.Complete, got.Failed, len(got.Degraded))
	}
	b.holds(t, got.Round)
}

// unreachable runs a round two hours later, in which GitHub does not answer for a
// miner.
func (b *bundle) unreachable(t *testing.T, miner input.Miner) outcome.Result {
	t.Helper()
	miner.IdentityUnreachable = true
	m := b.plan(t, miner)
	m.AsOf, m.Round = m.AsOf.Add(2*time.Hour), m.Round+"-2"
	return must.Get(b.runner(t).Start(deadline(t), m))(t)
}

// Stored pull requests stand in for those that could not be listed. The round is
// incomplete, and says how old they are.
func TestStandInsLeaveARoundIncomplete(t *testing.T) {
	t.Parallel()
	b, _ := asked(t)
	miner := unidentified(time.Time{})[1]
	before, err := b.runner(t).Start(deadline(t), b.plan(t, miner))
	must.Do(t, err)
	if !before.Complete {
		t.Fatalf("the round before: %+v", before)
	}
	got := b.unreachable(t, miner)
	want := []outcome.StandIn{{UID: 1, AsOf: before.AsOf, Age: 2 * 3600}}
	if diff := cmp.Diff(want, got.StandIns); diff != "" || got.Complete {
		t.Errorf("complete %v, stand-ins (-want +got):\n%s", got.Complete, diff)
	}
	if text := got.StandIns[0].String(); text != "its pull requests of 2026-06-01T00:00:00Z, 2h00m old, stand in for those that could not be had" {
		t.Errorf("it says %q", text)
	}
}

// Stored pull requests without the instant of their loading are of unknown age. They once
// were 292 years old, the longest time that a duration can hold.
func TestAStandInWithoutAnInstantIsOfUnknownAge(t *testing.T) {
	t.Parallel()
	b, _ := asked(t)
	miner := unidentified(time.Time{})[1]
	before, err := b.runner(t).Start(deadline(t), b.plan(t, miner))
	must.Do(t, err)
	stored, err := b.bus.Miners.Evaluations(t.Context())
	must.Do(t, err)
	old := stored[1]
	old.AsOf = time.Time{}
	must.Do(t, b.bus.Miners.Change(t.Context(), jobstream.Origin{Round: before.Round, PlannedAt: time.Now(), Revision: 2},
		[]scoring.StoredChange{{UID: 1, Evaluation: &old}}))
	got := b.unreachable(t, miner)
	if diff := cmp.Diff([]outcome.StandIn{{UID: 1}}, got.StandIns); diff != "" {
		t.Fatalf("stand-ins (-want +got):\n%s", diff)
	}
	if text, err := json.Marshal(got.StandIns[0]); err != nil || string(text) != `{"uid":1}` {
		t.Errorf("it is told as %s, %v, want neither instant nor age", text, err)
	}
	if text := got.StandIns[0].String(); text != "its pull requests of unknown age stand in for those that could not be had" {
		t.Errorf("it says %q", text)
	}
}

// A replay asks GitHub again. A miner whose account differs from the one that stood in is
// run again, even if it had no job before. A miner with the same account is not. One
// whose token is refused no longer takes part. Without an answer a miner stays unknown.
// Answers are kept.
func TestAReplayAsksForIdentities(t *testing.T) {
	t.Parallel()
	b, g := asked(t)
	asOf := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	list := append(unidentified(asOf), input.Miner{UID: 7, Hotkey: "h7", GitHubID: "107", IdentityUnreachable: true},
		input.Miner{UID: 8, Hotkey: "h8", GitHubID: "108", IdentityKeptAt: asOf})
	m := b.plan(t, list...)
	m.Notes = []string{"a note", job.NoteUnidentified + "miners [4 5 6 7 8]"}
	first, err := b.runner(t).Start(deadline(t), m)
	must.Do(t, err)
	g.run()

	_, did, err := b.runner(t).Replay(deadline(t), first.Round, outcome.Selection{})
	must.Do(t, err)
	if diff := cmp.Diff(outcome.Replayed{Unidentified: []int{4, 5, 6, 7, 8}}, did); diff != "" {
		t.Errorf("nobody to ask (-want +got):\n%s", diff)
	}
	g.answers = []input.Miner{
		{UID: 4, Hotkey: "h4", GitHubID: "104"}, {UID: 5, Hotkey: "h5", GitHubID: "205"}, {UID: 6, Hotkey: "h6", GitHubID: "206"},
		{UID: 7, Hotkey: "h7", Token: input.TokenRefused},
	}
	second, did, err := b.runner(t, g.asking).Replay(deadline(t), first.Round, outcome.Selection{})
	must.Do(t, err)
	if diff := cmp.Diff(outcome.Replayed{UIDs: []int{5, 6}, Identified: []int{4, 5, 6, 7}, Unidentified: []int{8}}, did); diff != "" {
		t.Errorf("replayed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int]string{5: "205", 6: "206"}, g.run()); diff != "" {
		t.Errorf("jobs that were run, and their accounts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]outcome.UnknownIdentity{{UID: 8, GitHubID: "108", KeptAt: asOf}}, second.UnknownIdentities); diff != "" ||
		second.Complete || second.Revision != 2 {
		t.Errorf("revision %d, complete %v, unknown (-want +got):\n%s", second.Revision, second.Complete, diff)
	}
	failed := map[int]input.Failure{}
	for _, m := range second.Outcome.Miners {
		failed[m.UID] = m.Failed
	}
	want := map[int]input.Failure{0: input.RecycleMiner, 1: "", 4: "", 5: "", 6: "", 7: input.TokenNotAccepted, 8: ""}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	b.holds(t, first.Round)
	reasons := map[int]string{}
	for _, change := range outcome.Compare(first, second).Changes {
		reasons[change.UID] = change.Reason
	}
	if reasons[4] != "was unidentified, healed" || reasons[7] != "was unidentified, takes no part: token refused" {
		t.Errorf("the comparison says of miner 4 %q, of miner 7 %q; want the one healed, and the other's token refused",
			reasons[4], reasons[7])
	}
	if !slices.Equal(second.Notes, m.Notes) {
		t.Errorf("with an unknown identity left, the notes are %q, want %q", second.Notes, m.Notes)
	}

	g.answers = []input.Miner{{UID: 8, Hotkey: "h8", GitHubID: "108"}}
	third, did, err := b.runner(t, g.asking).Replay(deadline(t), first.Round, outcome.Selection{Class: outcome.ClassIdentity})
	must.Do(t, err)
	if diff := cmp.Diff(outcome.Replayed{UIDs: []int{}, Identified: []int{8}}, did); diff != "" {
		t.Errorf("the last one (-want +got):\n%s", diff)
	}
	if !third.Complete || third.Revision != 3 || len(g.run()) != 0 {
		t.Errorf("revision %d, complete %v; want a complete third one without a job", third.Revision, third.Complete)
	}
	if !slices.Equal(third.Notes, m.Notes[:1]) {
		t.Errorf("with every identity known, the notes are %q, want %q", third.Notes, m.Notes[:1])
	}
	b.holds(t, first.Round)
}

// A miner whose token GitHub refuses in a replay keeps its record and has no job any
// more. Every count leaves it out, while the former revision still has it. There once
// were -1 outstanding jobs, and the first revision had 4 planned.
func TestARefusedMinerCountsInNoLaterRevision(t *testing.T) {
	t.Parallel()
	b, g := asked(t, input.Miner{UID: 5, Hotkey: "h5", Token: input.TokenRefused})
	first, err := b.runner(t).Start(deadline(t), b.plan(t, unidentified(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))[1:4]...))
	must.Do(t, err)
	second, _, err := b.runner(t, g.asking).Replay(deadline(t), first.Round,
		outcome.Selection{UIDs: []int{5}, Class: outcome.ClassIdentity})
	must.Do(t, err)
	stands, err := view.RoundOf(t.Context(), b.bus, first.Round, time.Now())
	must.Do(t, err)
	if stands.Planned != 2 || stands.Done != 2 || stands.Failed != 0 || stands.Outstanding != 0 {
		t.Errorf("it stands at %d planned, %d done, %d failed, %d outstanding; want 2, 2, 0, 0",
			stands.Planned, stands.Done, stands.Failed, stands.Outstanding)
	}
	for want, revision := range map[string]outcome.Result{
		"3 planned = 3 done + 0 failed + 0 outstanding": first,
		"2 planned = 2 done + 0 failed + 0 outstanding": second,
	} {
		whole, err := view.OutcomeOf(t.Context(), b.bus, revision)
		must.Do(t, err)
		if got := whole.Audit.String(); got != want {
			t.Errorf("revision %d: audit %q, want %q", revision.Revision, got, want)
		}
	}
}

// A producer dies after it has stored GitHub's answers. The next one continues with them,
// and does not ask again.
func TestABrokenOffReplayKeepsIdentities(t *testing.T) {
	t.Parallel()
	b, g := asked(t)
	first, err := b.runner(t).Start(deadline(t), b.plan(t, unidentified(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))...))
	must.Do(t, err)
	g.run()
	must.Do(t, b.bus.Rounds.CreateReplay(t.Context(), job.Replay{Round: first.Round, Number: 1, UIDs: []int{5, 6}, Miners: []input.Miner{
		{UID: 4, Hotkey: "h4", GitHubID: "104"}, {UID: 5, Hotkey: "h5", GitHubID: "205"}, {UID: 6, Hotkey: "h6", GitHubID: "206"},
	}}))
	got, err := b.runner(t).Resume(deadline(t), first.Round)
	must.Do(t, err)
	if diff := cmp.Diff(map[int]string{5: "205", 6: "206"}, g.run()); diff != "" || !got.Complete || got.Revision != 2 || got.Planned != 4 {
		t.Errorf("revision %d, complete %v, %d planned; jobs (-want +got):\n%s", got.Revision, got.Complete, got.Planned, diff)
	}
	b.holds(t, first.Round)
}

// A degraded miner whose token GitHub refuses in a replay is then neither listed as
// failed nor replayed again.
func TestARefusedMinerIsNotReplayed(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	g := &github{answers: []input.Miner{{UID: 4, Hotkey: "h4", Token: input.TokenRefused}}}
	b.work(t, func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		e, err := g.handler(ctx, j, a)
		e.Missing = []job.Missing{{What: "issues", Cause: job.Unanswered, Error: "503"}}
		return e, err
	})
	asOf := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	first, err := b.runner(t).Start(deadline(t), b.plan(t, unidentified(asOf)[2]))
	must.Do(t, err)
	if len(first.Degraded) != 1 || len(first.UnknownIdentities) != 1 {
		t.Fatalf("%d degraded, %d of unknown identity; want the one miner both", len(first.Degraded), len(first.UnknownIdentities))
	}
	for range 2 { // the second time there is nothing to do
		got, _, err := b.runner(t, g.asking).Replay(deadline(t), first.Round, outcome.Selection{})
		must.Do(t, err)
		if got.Revision != 2 || !got.Complete || got.Outcome.Miners[0].Failed != input.TokenNotAccepted {
			t.Errorf("revision %d, complete %v, failed %q; want a complete second revision without the miner", got.Revision, got.Complete, got.Outcome.Miners[0].Failed)
		}
	}
	m, err := b.bus.Rounds.Planned(t.Context(), first.Round)
	must.Do(t, err)
	failures, err := outcome.ReadFailures(t.Context(), b.bus, m, true)
	must.Do(t, err)
	if len(failures.Ended) != 0 {
		t.Errorf("still listed: %+v", failures.Ended)
	}
	b.holds(t, first.Round)
}
