package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// visitor is a browser that has signed in.
type visitor struct {
	*bundle

	cookie string
}

// signIn signs in with a token, as the form does.
func (b *bundle) signIn(t *testing.T, secret string) visitor {
	t.Helper()
	a := b.submit(t, http.MethodPost, "/sign-in", "token="+secret) //nolint:bodyclose // submit closes it
	if a.StatusCode != http.StatusSeeOther || len(a.Cookies()) != 1 {
		t.Fatalf("signing in: %d, %d cookies", a.StatusCode, len(a.Cookies()))
	}
	return visitor{b, a.Cookies()[0].Name + "=" + a.Cookies()[0].Value}
}

// shows holds that the page before an order has texts.
func (v visitor) shows(t *testing.T, path string, texts ...string) nettest.Answer {
	t.Helper()
	a := v.get(t, path, "Cookie", v.cookie)
	has(t, a, http.StatusOK, texts...)
	return a
}

// gives carries out an order, and holds where it leads and what the page there says was done.
func (v visitor) gives(t *testing.T, path, form, back, told string) {
	t.Helper()
	a := v.submit(t, http.MethodPost, path, form, "Cookie", v.cookie) //nolint:bodyclose // submit closes it
	to := must.Get(url.Parse(a.Header.Get("Location")))(t)
	if a.StatusCode != http.StatusSeeOther || to.Path != back || to.Query().Get("told") == "" {
		t.Errorf("%s %s: %d to %q, want to %s", path, form, a.StatusCode, to, back)
		return
	}
	if !strings.HasPrefix(back, "/rounds/") { // whose page is another test's
		has(t, v.get(t, to.String(), "Cookie", v.cookie), http.StatusOK, `<p class="told" role="status">`+told)
	}
}

// An order to the schedule is shown before it is given, is given once, and says the second
// time that it was so already.
func TestOrdersToTheSchedule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(t, token)
	v.shows(t, "/orders/pause", "No turn and no warm-up begins", `name="reason"`, `action="/orders/pause"`, "<bdi>ann</bdi>")
	if steer, _, err := b.Bus.Steering.Load(t.Context()); err != nil || steer.Schedule != nil {
		t.Fatalf("%+v, %v: looking has paused the schedule", steer, err)
	}
	v.shows(t, "/orders/resume", "The schedule is not paused.")
	reason := url.QueryEscape(strings.ReplaceAll(hostile, "\u202e", ""))
	v.gives(t, "/orders/pause", "reason="+reason, "/", "The schedule is paused.")
	v.gives(t, "/orders/pause", "", "/", "The schedule was paused already")
	v.shows(t, "/orders/pause", "paused already, by <bdi>ann</bdi> at", "(<bdi>=cmd&lt;script")
	v.shows(t, "/orders/now", "Resume it first.")
	has(t, b.ask(t, http.MethodPost, "/orders/now", "", "Cookie", v.cookie), http.StatusConflict, "The order cannot be followed as things stand")
	v.shows(t, "/orders/resume", "One round makes up for the turns", "No producer leads the schedule")
	v.gives(t, "/orders/resume", "", "/", "The schedule is resumed.")
	v.gives(t, "/orders/resume", "", "/", "The schedule was not paused")
	v.shows(t, "/orders/now", "begins at once")
	v.gives(t, "/orders/now", "", "/", "The next turn begins at once.")
	v.gives(t, "/orders/now", "", "/", "The next turn was ordered already")
	v.shows(t, "/orders/now", "The next turn was ordered already, by <bdi>ann</bdi>")
	for _, wrong := range []string{strings.Repeat("x", 300), "a\x1b[2J"} {
		a := b.ask(t, http.MethodPost, "/orders/pause", "reason="+url.QueryEscape(wrong), "Cookie", v.cookie)
		has(t, a, http.StatusBadRequest, `role="alert">The reason cannot be taken`)
	}
	if log := b.Log.String(); strings.Count(log, "an operator gave an order") != 6 || !strings.Contains(log, "token=ann from=127.0.0.1") {
		t.Errorf("the log is %s, want one line of each order", log)
	}
}

// Nobody orders without a token for orders: who has not signed in does so and comes back, who
// has the token for reading is told what to do, and another site's page is refused.
func TestWhoMayOrder(t *testing.T) {
	t.Parallel()
	const reader = "PLANTED-0123456789-reader"
	b := setup(t)
	paths := []string{
		"/orders/now", "/orders/pause", "/orders/resume", "/rounds/r1/pause", "/rounds/r1/resume", "/rounds/r1/cancel", "/rounds/r1/replay",
		"/rounds/r1/rescore?uids=1", "/limit/default/hold", "/limit/default/release", "/limit/default/end-cool-down",
	}
	closed := setup(t, func(c *dashboard.Config) { c.Guard = roundtest.Guard(t, reader) })
	reading := closed.signIn(t, reader)
	v := b.signIn(t, token)
	for _, path := range paths {
		a := b.submit(t, http.MethodGet, path, "") //nolint:bodyclose // submit closes it
		if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || to != "/sign-in?to="+url.QueryEscape(path) {
			t.Errorf("%s: %d to %q, want to the sign-in and back", path, a.StatusCode, to)
		}
		has(t, b.ask(t, http.MethodPost, path, ""), http.StatusUnauthorized, "Sign in")
		has(t, closed.get(t, path, "Cookie", reading.cookie), http.StatusForbidden, "Your token is for reading alone", "sign in with a token of --api-token-file")
		has(t, closed.ask(t, http.MethodPost, path, "", "Cookie", reading.cookie), http.StatusForbidden, "Your token is for reading alone")
		has(t, closed.ask(t, http.MethodPost, path, ""), http.StatusUnauthorized)
		has(t, b.ask(t, http.MethodPost, path, "", "Cookie", v.cookie, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden, "Another site has sent this request")
	}
	has(t, b.ask(t, http.MethodPost, "/orders/pause", strings.Repeat("x", 1<<17), "Cookie", v.cookie), http.StatusBadRequest, "The form could not be read")
	if steer, _, err := b.Bus.Steering.Load(t.Context()); err != nil || steer.Schedule != nil || steer.Now != nil {
		t.Errorf("%+v, %v: somebody has ordered", steer, err)
	}
}

// A browser that sends no Sec-Fetch-Site, as over plain HTTP, tells its own forms by Origin. The
// policy on referrers must not make that null: every form would then count as another site's.
func TestOrdersByOrigin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(t, token)
	if policy := v.shows(t, "/orders/pause").Header.Get("Referrer-Policy"); policy != "same-origin" {
		t.Errorf("the policy on referrers is %q: with another one the browser may send Origin: null, or leak addresses", policy)
	}
	for origin, want := range map[string]int{b.url: http.StatusSeeOther, "null": http.StatusForbidden, "http://evil.example": http.StatusForbidden} {
		a := b.submit(t, http.MethodPost, "/orders/pause", "", "Cookie", v.cookie, "Origin", origin) //nolint:bodyclose // submit closes it
		if a.StatusCode != want {
			t.Errorf("an order from %s: %d, want %d", origin, a.StatusCode, want)
		}
	}
}

// A round is paused and resumed, and jobs of it are cancelled: each page says what ends.
func TestOrdersToARound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.Plan(t, now)
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), m))
	v := b.signIn(t, token)
	at := "/rounds/" + m.Round
	v.shows(t, at+"/pause", "No worker gets a job any more", "Pause round "+m.Round)
	v.gives(t, at+"/pause", "reason=x", at, "")
	v.gives(t, at+"/pause", "", at, "")
	v.shows(t, at+"/pause", "paused already, by <bdi>ann</bdi>")
	v.shows(t, at+"/resume", "Workers get jobs again at once")
	v.gives(t, at+"/resume", "", at, "")
	v.shows(t, at+"/resume", "The round is not paused")
	for _, method := range []string{http.MethodGet, http.MethodPost} { // the last round may be another one by now
		a := v.submit(t, method, "/rounds/latest/cancel?uids=2", "", "Cookie", v.cookie) //nolint:bodyclose // submit closes it
		if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || to != at+"/cancel?uids=2" {
			t.Errorf("%s of an order on latest: %d to %q, want to the page that asks about %s", method, a.StatusCode, to, m.Round)
		}
	}
	page := v.shows(t, at+"/cancel?uids=2", "as failed: 1.", ">miner 2<", `class="danger"`, "Cancel 1 job")
	if strings.Contains(page.Body, ">miner 1<") {
		t.Error("the page names a job that does not end")
	}
	v.shows(t, at+"/cancel", "as failed: 2.", ">miner 1<", ">miner 2<", "Cancel the round")
	if c := must.Get(b.Bus.Rounds.Cancel(t.Context(), m.Round, 0))(t); len(c.Orders) != 0 {
		t.Errorf("looking has cancelled %+v", c)
	}
	v.gives(t, at+"/cancel?uids=2", "reason=bad", at, "")
	for path, want := range map[string]int{
		at + "/cancel?uids=x": http.StatusBadRequest, at + "/cancel?uids=9": http.StatusConflict, at + "/rescore?uids=": http.StatusBadRequest,
		at + "/replay": http.StatusNotFound, "/rounds/r9/cancel": http.StatusNotFound, "/rounds/x.y/pause": http.StatusNotFound,
	} {
		has(t, b.get(t, path, "Cookie", v.cookie), want)
		has(t, b.ask(t, http.MethodPost, path, "", "Cookie", v.cookie), want)
	}
}

// A replay shows which miners it runs again and why each failed, and begins when it is given.
func TestAReplayIsShownAndBegun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.Incomplete(t, now)
	v := b.signIn(t, token)
	at := "/rounds/" + r.Round
	v.shows(t, at+"/replay", "Replay 1 miner of round", "Miner 2<", "the mirror answered 404 =cmd&lt;script", "as revision 2")
	v.shows(t, at+"/rescore?uids=1", "Rescore 1 miner", "Miner 1<")
	has(t, b.get(t, at+"/replay?uids=1", "Cookie", v.cookie), http.StatusConflict, "Nothing can be replayed as asked")
	has(t, b.get(t, at+"/replay?like=nonsense", "Cookie", v.cookie), http.StatusConflict)
	if revisions := must.Get(b.Bus.Outcomes.Revisions(t.Context(), r.Round))(t); len(revisions) != 1 {
		t.Fatalf("looking has made revisions %v", revisions)
	}
	b.Sick.Store(0)
	v.gives(t, at+"/replay?uids=2", "", at, "")
	must.Until(t.Context(), t, "the replay's revision", func() bool {
		revisions, err := b.Bus.Outcomes.Revisions(t.Context(), r.Round)
		return err == nil && len(revisions) > 1
	})
}

// A rescore lets its miners be chosen, some or all, and shows them before it begins. It is
// never of all because nobody was named. Only what can be ordered is offered for a miner.
func TestMinersAreChosenForARescore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.Incomplete(t, now)
	v := b.signIn(t, token)
	at := "/rounds/" + r.Round
	has(t, b.get(t, at), http.StatusOK, `href="`+at+`/rescore"`)
	page := v.shows(t, at+"/rescore", "Rescore miners of round", `action="`+at+`/rescore"`, `name="uids" value="1"`, `name="uids" value="2"`,
		"lacks nothing", "the mirror answered 404 =cmd&lt;script", `href="`+at+`/rescore?uids=all"`)
	if strings.Contains(page.Body, `method="post" action="`+at) {
		t.Error("an order without miners can be given")
	}
	v.shows(t, at+"/rescore?uids=1&uids=2", "Rescore 2 miners of round", `action="`+at+`/rescore?uids=1&amp;uids=2"`)
	v.shows(t, at+"/rescore?uids=all", "Rescore 2 miners of round", "Miner 1<", "Miner 2<", `action="`+at+`/rescore?uids=all"`)
	for _, none := range []string{"", "?uids=", "?uids=all,1"} {
		has(t, b.ask(t, http.MethodPost, at+"/rescore"+none, "", "Cookie", v.cookie), http.StatusBadRequest)
	}
	for uid, offered := range map[string][2]bool{"0": {false, false}, "1": {false, true}, "2": {true, true}} {
		page := b.get(t, at+"/miners/"+uid)
		has(t, page, http.StatusOK)
		for i, order := range []string{"replay", "rescore"} {
			if got := strings.Contains(page.Body, at+"/"+order+"?uids="+uid); got != offered[i] {
				t.Errorf("miner %s: a %s is offered: %t, want %t", uid, order, got, offered[i])
			}
		}
	}
	v.gives(t, at+"/rescore?uids=all", "", at, "")
	must.Until(t.Context(), t, "the rescore's revision", func() bool {
		revisions, err := b.Bus.Outcomes.Revisions(t.Context(), r.Round)
		return err == nil && len(revisions) > 1
	})
}

// An egress is held, released, and its cool-down ended, each with what it means; hold again
// with a shorter time says that the longer one stays.
func TestOrdersToAnEgress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(t, token)
	must.Get(b.Limiter.Permit(t.Context()))(t)
	v.shows(t, "/limit/default/hold", "no process sends anything", `<select id="length" name="length">`, `<option value="15m" selected>15 minutes</option>`)
	v.shows(t, "/limit/default/release", "The egress is not held.")
	v.shows(t, "/limit/default/end-cool-down", "The egress does not cool down.")
	v.gives(t, "/limit/default/hold", "length=1h&reason=moved", "/limit", "The egress is held.")
	v.gives(t, "/limit/default/hold", "length=5m", "/limit", "The egress has a hold that ends later")
	v.shows(t, "/limit/default/hold", "by <bdi>ann</bdi>: <bdi>moved</bdi>")
	v.gives(t, "/limit/default/release", "", "/limit", "The hold is released.")
	v.gives(t, "/limit/default/release", "", "/limit", "The egress was not held: nothing has changed.")
	must.Do(t, b.Limiter.CoolDown(t.Context(), time.Minute))
	v.shows(t, "/limit/default/end-cool-down", "What it risks:", "End the cool-down anyway")
	v.gives(t, "/limit/default/end-cool-down", "", "/limit", "The cool-down is ended.")
	v.gives(t, "/limit/default/end-cool-down", "", "/limit", "The egress did not cool down any more: nothing has changed.")
	has(t, b.ask(t, http.MethodPost, "/limit/default/hold", "length=2h&reason=a%1B", "Cookie", v.cookie), http.StatusBadRequest,
		"The reason cannot be taken", `<option value="2h" selected>2 hours</option>`)
	has(t, b.ask(t, http.MethodPost, "/limit/default/hold", "length=soon", "Cookie", v.cookie), http.StatusBadRequest, "want a length of time such as 15m")
	has(t, b.ask(t, http.MethodPost, "/limit/default/hold", "length=48h", "Cookie", v.cookie), http.StatusConflict, "A hold of 48h0m0s")
	has(t, b.ask(t, http.MethodPost, "/limit/nobody/hold", "length=5m", "Cookie", v.cookie), http.StatusNotFound)
	has(t, b.get(t, "/limit/nobody/hold", "Cookie", v.cookie), http.StatusNotFound, "has no bucket")
	has(t, b.get(t, "/limit?told=%3Cscript%3E"), http.StatusOK)
}
