package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// Two revisions are compared as `producer show --compare` compares them: the last two, or
// those of the query. A round of one revision has nothing to compare, and says what to do.
func TestRevisionsAreCompared(t *testing.T) {
	t.Parallel()
	b, first := withADeadMiner(t)
	path := "/api/v1/rounds/" + first.Round + "/compare"
	if got := b.ask(t, http.MethodGet, path, ""); got.status != http.StatusNotFound ||
		!strings.Contains(got.body, "revision 1 of round "+first.Round+" is the first, so there is nothing to compare it with; a replay makes another") {
		t.Errorf("one revision: %d %s", got.status, got.body)
	}
	b.Sick.Store(0)
	second, _, err := b.Runner(t).Replay(roundtest.Deadline(t), first.Round, outcome.Selection{})
	must.Do(t, err)
	want := outcome.Compare(first, second)
	for _, query := range []string{"", "?to=2", "?from=1", "?from=1&to=2"} {
		got := b.ask(t, http.MethodGet, path+query, "")
		if diff := cmp.Diff(want, into[outcome.Comparison](t, got)); got.status != http.StatusOK || diff != "" || len(want.Changes) == 0 {
			t.Errorf("%q: %d (-want +got):\n%s", query, got.status, diff)
		}
		if again := b.ask(t, http.MethodGet, path+query, "", "If-None-Match", got.header.Get("ETag")); again.status != http.StatusNotModified {
			t.Errorf("%q again: %d, want 304", query, again.status)
		}
	}
	if got := into[outcome.Comparison](t, b.ask(t, http.MethodGet, path+"?from=2&to=1", "")); got.From != 2 || got.To != 1 || len(got.Changes) != len(want.Changes) {
		t.Errorf("the other way round: %+v", got)
	}
	for query, status := range map[string]int{
		"?from=7": http.StatusNotFound, "?to=7": http.StatusNotFound, "?to=1": http.StatusNotFound, "?from=x": http.StatusBadRequest, "?with=1": http.StatusBadRequest,
	} {
		if got := b.ask(t, http.MethodGet, path+query, ""); got.status != status {
			t.Errorf("%q: %d %s, want %d", query, got.status, got.body, status)
		}
	}
}

// A miner's history goes by its hotkey, over the last outcomes of the rounds up to the one
// that is asked for.
func TestAMinersHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Work(t)
	first := b.Concluded(t, now)
	m := b.Plan(t, now.Add(2*time.Hour))
	m.Due = m.PlannedAt
	for i := range m.Miners { // the second is another miner now, and the first one has its uid
		switch of := &m.Miners[i]; of.UID {
		case 1:
			of.Hotkey, of.GitHubID = "new", "999"
		case 2:
			of.Hotkey, of.GitHubID = "h1", "101"
		}
	}
	second := b.Run(t, m)
	ask := func(round, uid string) view.History {
		return into[view.History](t, b.ask(t, http.MethodGet, "/api/v1/rounds/"+round+"/miners/"+uid+"/history", ""))
	}
	got := ask("latest", "2")
	if got.Round != second.Round || got.Hotkey != "h1" || len(got.Rounds) != 2 || got.Rounds[0].UID != 2 || got.Rounds[1].UID != 1 {
		t.Fatalf("got %+v, want two rounds of h1, that was uid 1 before", got)
	}
	is, was := got.Rounds[0], got.Rounds[1]
	rewards := []float64{second.Outcome.Rewards[2].Reward, first.Outcome.Rewards[1].Reward}
	if is.Reward != rewards[0] || was.Reward != rewards[1] || is.Change == nil || *is.Change != rewards[0]-rewards[1] || was.Change != nil ||
		is.Pulls == 0 || is.Reward == 0 || !is.Complete || is.Revision != 1 || !is.AsOf.Equal(asOf) {
		t.Errorf("got %+v, want the rewards %v and the difference", got.Rounds, rewards)
	}
	if got := ask(second.Round, "1"); got.Rounds[1].Absent == "" || got.Rounds[1].Other != "h1" || got.Rounds[0].Change != nil {
		t.Errorf("of the new one: %+v, want that h1 had its uid", got.Rounds)
	}
	if got := ask(first.Round, "1"); len(got.Rounds) != 1 {
		t.Errorf("up to the first round: %+v", got.Rounds)
	}
	running := b.Plan(t, now.Add(4*time.Hour))
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), running))
	if got := ask(running.Round, "1"); len(got.Rounds) != 2 || got.Rounds[0].UID != 2 {
		t.Errorf("of a round that runs: %+v, want what is concluded", got.Rounds)
	}
	for path, status := range map[string]int{
		first.Round + "/miners/9/history": http.StatusNotFound, job.Schedule + "/miners/1/history": http.StatusNotFound,
		first.Round + "/miners/x/history": http.StatusBadRequest, first.Round + "/miners/1/history?limit=3": http.StatusBadRequest,
	} {
		if got := b.ask(t, http.MethodGet, "/api/v1/rounds/"+path, ""); got.status != status {
			t.Errorf("%s: %d %s, want %d", path, got.status, got.body, status)
		}
	}
}
