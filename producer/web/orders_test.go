package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// Orders over the API need the token, change something once, say what they have done, and are
// refused with what to do instead; the schedule shows them.
func TestOrders(t *testing.T) {
	t.Parallel()
	b, h := servers(t), &hand{}
	b.serve(t, func(c *web.Config) { c.Replay = h.replay })
	post := func(path, body string) said {
		t.Helper()
		return b.ask(t, http.MethodPost, "/api/v1"+path, body, "Authorization", "bearer "+token)
	}
	if got := b.ask(t, http.MethodPost, "/api/v1/schedule/pause", ""); got.status != http.StatusUnauthorized {
		t.Errorf("without the token: %d %s, want 401", got.status, got.body)
	}
	did := func(path, body string, changed bool) view.Steered {
		t.Helper()
		got := post(path, body)
		var s view.Steered
		if err := json.Unmarshal([]byte(got.body), &s); err != nil || got.status != http.StatusOK || s.Changed != changed {
			t.Errorf("%s: %d %s, want 200 and changed %v", path, got.status, got.body, changed)
		}
		return s
	}
	if s := did("/schedule/pause", `{"by": "ann", "reason": "NATS is moved"}`, true); s.Schedule.Paused == nil || s.Schedule.Paused.By != "ann" {
		t.Errorf("the pause is shown as %+v", s)
	}
	did("/schedule/pause", `{"by": "bob"}`, false)
	for _, path := range []string{"/api/v1/schedule", "/api/v1/rounds"} {
		if got := b.ask(t, http.MethodGet, path, ""); got.status != http.StatusOK || !strings.Contains(got.body, `"reason":"NATS is moved"`) {
			t.Errorf("%s: %d %s, want the pause", path, got.status, got.body)
		}
	}
	if got := post("/schedule/now", ""); got.status != http.StatusConflict || !strings.Contains(got.body, "producer resume ends the pause") {
		t.Errorf("a turn while it is paused: %d %s, want 409", got.status, got.body)
	}
	did("/schedule/resume", "", true)
	did("/schedule/resume", "", false)
	did("/schedule/now", "", true)
	did("/schedule/now", `{"by": "bob"}`, false)
	if got := b.ask(t, http.MethodGet, "/api/v1/schedule", ""); !strings.Contains(got.body, `"ordered":{"by":"a caller of the API"`) {
		t.Errorf("the order is shown as %s", got.body)
	}
	did("/rounds/20260101t000000z-000000/resume", "", false)
	for path, want := range map[string]struct {
		status int
		body   string
		says   string
	}{
		"/rounds/20260101t000000z-000000/pause": {http.StatusConflict, "", "no round runs"},
		"/rounds/latest/pause":                  {http.StatusNotFound, "", "an order names a round that runs"},
		"/schedule/pause":                       {http.StatusBadRequest, `{"reason": "a\u001b[2J"}`, "cannot be printed"},
		"/schedule/resume":                      {http.StatusBadRequest, `{"reason": "x"}`, "only for a pause"},
		"/schedule/now":                         {http.StatusBadRequest, `{"at": "x"}`, "there are by, reason"},
	} {
		if got := post(path, want.body); got.status != want.status || !strings.Contains(got.body, want.says) {
			t.Errorf("%s %s: %d %s, want %d and %q", path, want.body, got.status, got.body, want.status, want.says)
		}
	}
}

// A pause holds back the jobs of all rounds. While a round that runs is paused, no pause of
// another one replaces it. A replay has no deadline, and its pause tells of none.
func TestAPauseIsNotReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pause := func(name string) said {
		t.Helper()
		return b.ask(t, http.MethodPost, "/api/v1/rounds/"+name+"/pause", "", "Authorization", "bearer "+token)
	}
	deadline := func(m job.Manifest) job.Manifest {
		m.OverdueAt = m.PlannedAt.Add(2 * time.Hour)
		return m
	}
	first := deadline(b.plan(t, now))
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), first))
	if s := into[view.Steered](t, pause(first.Round)); !s.Changed || s.OverdueAt == nil || !s.OverdueAt.Equal(first.OverdueAt) {
		t.Errorf("the first round: %+v, want it paused, and its deadline", s)
	}
	second := deadline(b.plan(t, now.Add(time.Minute)))
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), second))
	if got := pause(second.Round); got.status != http.StatusConflict || !strings.Contains(got.body, "round "+first.Round+" is paused") {
		t.Errorf("the second round: %d %s, want 409 and the round that is paused", got.status, got.body)
	}
	if steer, _, err := b.bus.Steering.Load(t.Context()); err != nil || steer.Round == nil || steer.Round.Round != first.Round {
		t.Errorf("%+v, %v is paused, want the first round as it was", steer.Round, err)
	}
	for _, m := range []job.Manifest{first, second} {
		c := must.Get(round.OrderCancel(t.Context(), b.bus, m.Round, job.CancelOrder{By: "ann"}))(t)
		must.Do(t, b.runner(t).FollowCancel(t.Context(), c))
	}
	_, revision, err := b.bus.Holders.Load(t.Context(), second.Round)
	must.Do(t, err)
	must.Get(b.bus.Holders.Set(t.Context(), second.Round, job.Holder{Name: "replays/1", For: time.Minute}, revision))(t)
	if s := into[view.Steered](t, pause(second.Round)); !s.Changed || s.OverdueAt != nil {
		t.Errorf("the replay: %+v, want it paused, and no deadline", s)
	}
}
