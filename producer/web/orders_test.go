package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// Orders over the API need the token, change something once, say what they have done, and are
// refused with what to do instead; the schedule shows them.
func TestOrders(t *testing.T) {
	t.Parallel()
	b, h := servers(t), &hand{}
	b.serve(t, func(c *settings) { c.orders.Replay = h.replay })
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
	if got := b.ask(t, http.MethodGet, "/api/v1/schedule", ""); !strings.Contains(got.body, `"ordered":{"by":"ann"`) {
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

// Every order is one line in the log: by which token, from where, what, and why; one that is
// refused, too, with the reason. What is only asked is no order.
func TestEveryOrderIsLogged(t *testing.T) {
	t.Parallel()
	b, result := withADeadMiner(t)
	for _, c := range []struct{ path, body, want string }{
		{"/schedule/pause", `{"by": "Ann B.", "reason": "NATS is moved"}`,
			`msg="an operator gave an order" order=pause token=ann from=127.0.0.1 by="Ann B." reason="NATS is moved" round="" changed=true`},
		{"/schedule/now", "", `msg="an operator's order was not followed" order=now token=ann from=127.0.0.1 by=ann reason="" round="" changed=false error="the schedule is paused`},
		{"/schedule/resume", "", `order=resume token=ann from=127.0.0.1 by=ann reason="" round="" changed=true`},
		{"/rounds/20260101t000000z-000000/pause", "", `order=pause-round token=ann from=127.0.0.1 by=ann reason="" round=20260101t000000z-000000 changed=false error="no round runs`},
		{"/rounds/20260101t000000z-000000/resume", "", `order=resume-round token=ann from=127.0.0.1 by=ann reason="" round=20260101t000000z-000000 changed=false`},
		{"/rounds/latest/replay", `{"uids": [1]}`, `was not followed" order=replay token=ann from=127.0.0.1 by=ann reason="" round=` + result.Round + ` uids=[1] error=`},
		{"/rounds/latest/replay", `{"dry_run": true}`, ""},
		{"/rounds/latest/replay", "", `gave an order" order=replay token=ann from=127.0.0.1 by=ann reason="" round=` + result.Round + ` uids=[2]`},
		{"/rounds/latest/cancel", `{"uids": [1], "reason": "why"}`,
			`order=cancel token=ann from=127.0.0.1 by=ann reason=why round=` + result.Round + ` uids=[1] error=`},
		{"/egresses/other/hold", `{"length": "5m", "reason": "why"}`,
			`order=hold token=ann from=127.0.0.1 by=ann reason=why egress=other length=5m0s error=`},
		{"/egresses/default/release", "", `order=release token=ann from=127.0.0.1 by=ann reason="" egress=default error="egress default is not held"`},
	} {
		before := b.orderLines()
		b.ask(t, http.MethodPost, "/api/v1"+c.path, c.body, "Authorization", "Bearer "+token)
		lines := b.orderLines()[len(before):]
		if got := strings.Join(lines, "\n"); (len(lines) == 1) != (c.want != "") || !strings.Contains(got, c.want) {
			t.Errorf("%s %s: the log has\n%s\nwant one line with\n%s", c.path, c.body, got, c.want)
		}
	}
	if got := b.awaitReplay(t, result.Round, "ended"); got.Replay.Revision != 2 && got.Replay.Revision != 1 {
		t.Errorf("the replay came to %+v", got.Replay)
	}
	if log := b.Log.String(); strings.Contains(log, "a request of the API failed") {
		t.Errorf("what is refused is logged twice:\n%s", log)
	}
}

// orderLines are the lines of the log that are about orders.
func (b *bundle) orderLines() (lines []string) {
	for line := range strings.Lines(b.Log.String()) {
		if strings.Contains(line, `msg="an operator`) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// An egress is held, released, and its cool-down ended, the last only by whoever has been
// told what that risks. Redis away is 503, and one line in the log.
func TestOrdersToAnEgress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must.Get(b.Limiter.Permit(t.Context()))(t)
	post := func(path, body string) said {
		t.Helper()
		return b.ask(t, http.MethodPost, "/api/v1/egresses/"+path, body, "Authorization", "Bearer "+token)
	}
	held := into[view.Bucket](t, post("default/hold", `{"length": "1h", "reason": "the mirror moves"}`))
	if held.Hold < 3500 || held.HeldBy != "ann" || held.HeldWhy != "the mirror moves" {
		t.Errorf("held: %+v, want an hour, by whom and why", held)
	}
	if got := into[view.Bucket](t, post("default/hold", `{"length": "1s", "by": "bob"}`)); got.Hold < 3500 || got.HeldBy != "ann" {
		t.Errorf("a shorter hold: %+v, want the longer one to stay", got)
	}
	if got := into[view.Bucket](t, post("default/release", "")); got.Hold != 0 {
		t.Errorf("released: %+v, want no hold", got)
	}
	must.Do(t, b.Limiter.CoolDown(t.Context(), time.Hour))
	for _, body := range []string{"", `{"confirm": "Default"}`} {
		got := post("default/end-cool-down", body)
		if got.status != 409 || !strings.Contains(got.body, "unconfirmed") || !strings.Contains(got.body, "send nothing for") ||
			!strings.Contains(got.body, "block the address for everybody behind it") || !strings.Contains(got.body, `{\"confirm\": \"default\"}`) {
			t.Errorf("without the confirmation: %d %s, want 409, what it risks and how to confirm", got.status, got.body)
		}
	}
	if got := into[view.Bucket](t, post("default/end-cool-down", `{"confirm": "default"}`)); got.CoolDown != 0 || got.CoolDowns != 1 {
		t.Errorf("ended: %+v, want no cool-down", got)
	}
	for _, c := range []struct {
		path, body string
		status     int
		says       string
	}{
		{"default/end-cool-down", `{"confirm": "default"}`, 409, "does not cool down"},
		{"default/end-cool-down", "", 409, "does not cool down"},
		{"default/release", "", 409, "is not held"},
		{"other/hold", `{"length": "5m"}`, 404, "no-bucket"},
		{"other/end-cool-down", "", 404, "no-bucket"},
		{"-x%7B/hold", `{"length": "5m"}`, 400, `"name"`},
		{"default/hold", "", 400, "want 1s to 24h0m0s"},
		{"default/hold", `{"length": "25h"}`, 400, "want 1s to 24h0m0s"},
		{"default/hold", `{"length": 300}`, 400, "length"},
		{"default/hold", `{"length": "5m", "reason": "a\u001b"}`, 400, "reason"},
	} {
		if got := post(c.path, c.body); got.status != c.status || !strings.Contains(got.body, c.says) {
			t.Errorf("%s %s: %d %s, want %d and %q", c.path, c.body, got.status, got.body, c.status, c.says)
		}
	}
	b.Stop() // and Redis
	if got := post("default/release", ""); got.status != 503 || strings.Contains(got.body, "127.0.0.1") {
		t.Errorf("without Redis: %d %s, want 503 without the reason", got.status, got.body)
	}
	if lines := b.orderLines(); !strings.Contains(lines[len(lines)-1], "Redis does not answer") || strings.Contains(b.Log.String(), "a request of the API failed") {
		t.Errorf("the log has %q last, want that Redis does not answer, once", lines[len(lines)-1])
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
	first := deadline(b.Plan(t, now))
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), first))
	if s := into[view.Steered](t, pause(first.Round)); !s.Changed || s.OverdueAt == nil || !s.OverdueAt.Equal(first.OverdueAt) {
		t.Errorf("the first round: %+v, want it paused, and its deadline", s)
	}
	second := deadline(b.Plan(t, now.Add(time.Minute)))
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), second))
	if got := pause(second.Round); got.status != http.StatusConflict || !strings.Contains(got.body, "round "+first.Round+" is paused") {
		t.Errorf("the second round: %d %s, want 409 and the round that is paused", got.status, got.body)
	}
	if steer, _, err := b.Bus.Steering.Load(t.Context()); err != nil || steer.Round == nil || steer.Round.Round != first.Round {
		t.Errorf("%+v, %v is paused, want the first round as it was", steer.Round, err)
	}
	for _, m := range []job.Manifest{first, second} {
		c := must.Get(round.OrderCancel(t.Context(), b.Bus, m.Round, job.CancelOrder{By: "ann"}))(t)
		must.Do(t, b.Runner(t).FollowCancel(t.Context(), c))
	}
	_, revision, err := b.Bus.Holders.Load(t.Context(), second.Round)
	must.Do(t, err)
	must.Get(b.Bus.Holders.Set(t.Context(), second.Round, job.Holder{Name: "replays/1", For: time.Minute}, revision))(t)
	if s := into[view.Steered](t, pause(second.Round)); !s.Changed || s.OverdueAt != nil {
		t.Errorf("the replay: %+v, want it paused, and no deadline", s)
	}
}
