package dashboard_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// The workers, with what each does; one whose version differs, one that was lost, and one
// that left with its last word.
func TestWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *dashboard.Config) { c.Now = time.Now })
	has(t, b.get(t, "/workers"), http.StatusOK, "No worker has shown itself", "<title>0 · Workers")
	at := time.Now()
	show := func(process string, w job.Worker) {
		w.At = at
		w.Started = at.Add(-time.Minute)
		w.Slots = 4
		w.Egress = "eu-1"
		must.Do(t, b.Bus.Presence.Show(t.Context(), process, w))
	}
	show("p1", job.Worker{Name: "w1", Build: "v2", Host: hostile, Jobs: []job.WorkerJob{
		{Round: "r1", UID: 7, Since: at.Add(-90 * time.Second), Requests: 12},
		{Round: "warm-r2", UID: 8, WarmUp: true, Since: at},
	}})
	show("p2", job.Worker{Name: "w2", Build: "v2"})
	show("p3", job.Worker{Name: "w3", Build: "v1 " + hostile, Permits: 30, Of: time.Minute, Share: 0.1})
	show("p4", job.Worker{Name: "w4", Build: "v1", Left: "drained " + hostile})
	show("p5", job.Worker{Name: "w1", Build: "v1", Left: "killed"})
	page := b.get(t, "/workers")
	has(t, page, http.StatusOK, "<title>3 · Workers", `<tr id="w1">`, `href="/rounds/r1/miners/7"`, ">warm-up<", "1 min 3", "The workers run different versions",
		">differs<", ">left<", "drained =cmd&lt;script", "2/4", "10.0 %<small>of egress eu-1", `href="/limit#egress-eu-1"`)
	if n := strings.Count(page.Body, `id="w1"`); n != 1 {
		t.Errorf("the anchor of w1 is there %d times", n)
	}
	if n := strings.Count(page.Body, ">differs<"); n != 1 {
		t.Errorf("%d versions are marked, want that of the one that runs and differs", n)
	}
	filtered := b.get(t, "/workers?filter=V1&sort=-worker")
	if has(t, filtered, http.StatusOK, "w3", "w4"); strings.Contains(filtered.Body, `<bdi>w2</bdi></th>`) {
		t.Error("the filter lets through what it should not")
	}
	has(t, b.get(t, "/workers?filter=%3Cb%3E%E2%80%AE"), http.StatusOK, "No worker has “<bdi>&lt;b&gt;")
	has(t, b.get(t, "/workers?sort=nonsense"), http.StatusBadRequest, "want one of worker, state")
}

// The producers, on the page of the rounds: who leads and who stands by, whose version
// differs, who was lost, and what puts off the turn.
func TestProducers(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *dashboard.Config) { c.Now = time.Now })
	if page := b.get(t, "/"); strings.Contains(page.Body, "Producers</h2>") || strings.Contains(page.Body, "put off") {
		t.Error("the page tells of producers before there are any")
	}
	at := time.Now()
	show := func(p job.Producer) {
		p.At, p.Started = at, at.Add(-90*time.Second)
		must.Do(t, b.Bus.Presence.ShowProducer(t.Context(), p.Name, p))
	}
	show(job.Producer{Name: "serve-1", Build: "v2", Host: hostile, PutOff: &job.PutOff{Input: "tokens", Since: at.Add(-time.Minute), Why: "they break off " + hostile}})
	show(job.Producer{Name: "serve-2", Build: "v1 " + hostile})
	show(job.Producer{Name: "run-3", Build: "v2", Round: "20260601t000000z-010203"})
	show(job.Producer{Name: "serve-4", Build: "v0", Left: "stopped"})
	must.Get(b.Bus.Holders.Set(t.Context(), job.Schedule, job.Holder{Name: "serve-1/x", For: time.Minute}, 0))(t)
	page := b.get(t, "/")
	has(t, page, http.StatusOK, "Producer <bdi>serve-1</bdi> leads the schedule, and <a href=\"#producers\">1 other stands by</a>.",
		"<b>The turn is put off</b> for ", ": <bdi>they break off =cmd&lt;script", `<span class="badge good">leading</span>`,
		`<span class="badge ">standing by</span>`, ">differs<", `<a href="/rounds/20260601t000000z-010203">`, "<bdi>=cmd&lt;script")
	if n := strings.Count(page.Body, ">differs<"); n != 1 || strings.Contains(page.Body, "serve-4") {
		t.Errorf("%d versions are marked, want one; and none of those that have left is listed", n)
	}
}

// The tokens: the coverage of the last rounds, and who lacks one, since when.
func TestTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	has(t, b.get(t, "/tokens"), http.StatusOK, "There is no round yet")
	for i := range 3 {
		m := b.Plan(t, now.Add(time.Duration(i)*2*time.Hour))
		m.Due = m.PlannedAt
		if i == 2 {
			m.Miners[1].Token, m.Miners[1].Hotkey = "refused", "h1"
			m.Miners[3].Hotkey = hostile
		}
		must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), m))
	}
	page := b.get(t, "/tokens")
	has(t, page, http.StatusOK, "<title>1/3 · Tokens", ">fell out<", "GitHub does not accept the token", "no token is stored for the uid", `href="/api/v1/tokens"`,
		"Miners with a usable token in the last 3 rounds; in the last one 1 of 3", "/miners/1\">Miner 1<", "<td class=\"number\">2</td><td class=\"number\">3</td>")
	has(t, b.get(t, "/tokens?filter=refused&sort=uid"), http.StatusOK, "Miner 1<")
	if page := b.get(t, "/tokens?filter=refused"); strings.Contains(page.Body, "Miner 3<") {
		t.Error("the filter lets through what it should not")
	}
	has(t, b.get(t, "/tokens?sort=x"), http.StatusBadRequest)
}

// A search that hits one thing leads there, one with several hits lists them by kind, and one
// without says what can be searched for.
func TestSearch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	has(t, b.get(t, "/search?q=h1"), http.StatusOK, "no round is concluded yet", "the id or the login of its GitHub account")
	b.Work(t)
	r := b.Concluded(t, now)
	for query, want := range map[string]string{
		"2": "/miners/2", "login2": "/miners/2", "101": "/miners/1", "a/b": "/repositories/a/b", "a%2Fb%232": "/pulls/a/b/2",
		"https%3A%2F%2Fgithub.com%2Fa%2Fb%2Fpull%2F1": "/pulls/a/b/1", r.Round: "",
	} {
		a := b.noFollow(t, "/search?q="+query) //nolint:bodyclose // noFollow closes it
		if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || to != "/rounds/"+r.Round+want {
			t.Errorf("%s: %d to %q, want to %q", query, a.StatusCode, to, want)
		}
	}
	has(t, b.get(t, "/search?q=login"), http.StatusOK, "<h2>Miners</h2>", "Miner 1<", "Miner 2<", "login · Search")
	has(t, b.get(t, "/search?q=%3Cscript%3E%E2%80%AE"), http.StatusOK, "Nothing has “<bdi>&lt;script&gt;", `value="&lt;script&gt;`)
	has(t, b.get(t, "/search"), http.StatusOK, "You can search for")
	has(t, b.get(t, "/search?q="+strings.Repeat("x", 5000)), http.StatusOK, "Nothing has")
}
