package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

// The coverage as the API tells it, of the schedule's last round; nothing where there is no
// round yet.
func TestTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.ask(t, http.MethodGet, "/api/v1/tokens", ""); got.status != http.StatusNotFound {
		t.Errorf("without a round: %d %s, want 404", got.status, got.body)
	}
	for i := range 2 {
		m := b.Plan(t, now.Add(time.Duration(i)*2*time.Hour))
		m.Due = m.PlannedAt
		if i == 0 {
			m.Miners[2].Token = input.TokenRefused
		} else {
			m.Miners[1].Token = input.TokenRefused
		}
		must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), m))
	}
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), b.Plan(t, now.Add(8*time.Hour)))) // by hand: it does not count
	got := into[view.Tokens](t, b.ask(t, http.MethodGet, "/api/v1/tokens", ""))
	want := view.Tokens{
		Round: got.Round, PlannedAt: now.Add(2 * time.Hour), Miners: 3, Usable: 1, Rounds: 2, Lacking: []view.Lacking{
			{UID: 1, Hotkey: "h1", State: view.TokenRefused, Since: now.Add(2 * time.Hour), Rounds: 1, FellOut: true},
			{UID: 3, Hotkey: "h3", State: view.TokenNone, Since: now, Rounds: 2, AtLeast: true},
		},
		History: []view.Covered{
			{Round: got.Round, PlannedAt: now.Add(2 * time.Hour), Miners: 3, Usable: 1},
			{Round: got.History[len(got.History)-1].Round, PlannedAt: now, Miners: 3, Usable: 1},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if got := b.ask(t, http.MethodGet, "/api/v1/tokens?round=latest", ""); got.status != http.StatusBadRequest {
		t.Errorf("an unknown parameter: %d, want 400", got.status)
	}
}

// The attempts of a job that failed and was replayed, as the API tells them; a miner without
// a job has none, and one that the round does not have is refused with those that it has.
// The replay is that of the group that the round lists.
func TestAttempts(t *testing.T) {
	t.Parallel()
	b, result := withADeadMiner(t)
	attempts := func(uid string) view.Attempts {
		t.Helper()
		return into[view.Attempts](t, b.ask(t, http.MethodGet, "/api/v1/rounds/latest/miners/"+uid+"/attempts", ""))
	}
	dead := attempts("2")
	if len(dead.Attempts) != 1 || dead.Phase != job.Failed || dead.Failure == nil {
		t.Fatalf("miner 2: %+v, want one attempt of a failed job", dead)
	}
	if one := dead.Attempts[0]; one.Ending != job.EndedDead || one.Number != 1 || one.Delivery != 1 || one.Worker != "w1" ||
		one.Ended == nil || one.Requests == nil || one.Class != job.Permanent || !strings.Contains(one.Error, "404") {
		t.Errorf("the attempt is %+v, want that it was dead of a 404", one)
	}
	if got := attempts("3"); got.NoJob != "no stored token" || len(got.Attempts) != 0 {
		t.Errorf("miner 3: %+v, want why it has no job", got)
	}
	for path, want := range map[string]string{
		"latest/miners/9/attempts": "its uids are 0, 1, 2, 3, 111", "latest/miners/x/attempts": "uid", "never/miners/2/attempts": result.Round,
		"latest/miners/2/attempts?revision=1": "revision",
	} {
		if got := b.ask(t, http.MethodGet, "/api/v1/rounds/"+path, ""); got.status < 400 || got.status > 404 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want it refused with %q", path, got.status, got.body, want)
		}
	}

	groups := into[view.Round](t, b.ask(t, http.MethodGet, "/api/v1/rounds/latest", "")).Groups
	if len(groups) != 1 || len(groups[0].UIDs) != 1 || !strings.Contains(groups[0].Text, "the mirror answered") {
		t.Fatalf("groups %+v, want one of miner 2", groups)
	}
	b.Sick.Store(0)
	replay := func(key string) said {
		t.Helper()
		return b.ask(t, http.MethodPost, "/api/v1/rounds/latest/replay", `{"like": "`+key+`"}`, "Authorization", "Bearer "+token)
	}
	if got := replay("0000"); got.status != http.StatusConflict || !strings.Contains(got.body, groups[0].Key) {
		t.Errorf("a group that is not there: %d %s, want 409 with those that are", got.status, got.body)
	}
	if got := replay(groups[0].Key); got.status != http.StatusAccepted || !strings.Contains(got.body, `"chosen":[{"uid":2,`) {
		t.Fatalf("%d %s, want 202 for miner 2", got.status, got.body)
	}
	b.awaitReplay(t, result.Round, "ended")
	again := attempts("2")
	if len(again.Attempts) != 2 || again.Attempts[0].Ending != job.EndedDead || again.Phase != job.Done || again.Replay != 1 {
		t.Fatalf("after the replay: %+v, want both attempts of a done job", again)
	}
	if one := again.Attempts[1]; one.Ending != job.EndedCommitted || one.Number != 2 || one.Replay != 1 || one.Delivery != 1 {
		t.Errorf("the replay's attempt is %+v, want the second one, committed", one)
	}
	if got := replay(groups[0].Key); got.status != http.StatusConflict {
		t.Errorf("the group that is gone: %d %s, want 409", got.status, got.body)
	}
}
