package browser_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// Hostile text is in every field that comes from outside: markup that asks for things
// elsewhere, direction marks, a spreadsheet's formula, a template. No script of it runs, no
// request leaves to elsewhere, and the console names no error.
func TestHostileTextDoesNothing(t *testing.T) {
	browser := chromium(t)
	t.Parallel()
	const text = "=HYPERLINK(\"http://elsewhere.example/f\")<script>alert(1)</script><img src=http://elsewhere.example/i onerror=alert(2)>" +
		"</bdi></title></textarea>\u202e\"'` onmouseover=alert(3) style=background:url(//elsewhere.example/s) {{.}}<base href=//elsewhere.example>"
	s, round := scored(t, text)
	s.Sick.Store(2)
	l := s.Begin(t, "20260601t000000z-0a0b0c", 4)
	for _, uid := range []int{1, 2, 3, 3} { // the last one fails
		l.Step(uid)
	}
	l.Shows(doing.State{What: "files of " + text}, 1)
	must.Get(s.Limiter.Permit(t.Context()))(t)
	must.Get(must.Get(ratelimit.NewOperator("default", s.Redis, time.Second))(t).Hold(t.Context(), time.Hour, ratelimit.Note{By: text, Why: text}))(t)
	b := browser.open(t, s.url, look{width: 1280})
	b.mild = "Failed to load resource: the server responded with a status of 4" // pages of what is not there
	s.signsIn(b)
	quoted := url.QueryEscape(text)
	for _, path := range []string{
		"/", "/rounds/" + l.Round, "/rounds/" + l.Round + "/cancel", "/rounds/" + round, "/rounds/" + round + "/miners/1",
		"/rounds/" + round + "/pulls/a/b/101", "/rounds/" + round + "/repositories/a/b", "/rounds/" + round + "/miners/1/what-if",
		"/rounds/" + round + "/rescore?uids=1", "/rounds/" + round + "?filter=" + quoted,
		"/rounds/" + round + "/miners/1/what-if?change=" + url.QueryEscape("label a/b#101="+text), "/rounds/" + url.PathEscape(text),
		"/limit", "/limit/default/hold", "/limit/" + url.PathEscape(text) + "/hold", "/workers?filter=" + quoted, "/workers", "/tokens",
		"/search?q=" + quoted, "/health", "/sign-in?to=" + url.QueryEscape("//elsewhere.example/"), "/?told=" + quoted,
	} {
		b.goes(path)
		if made := eval[int](b, `document.querySelectorAll("main img, main script, main [onmouseover], main [style], base").length`); made > 0 {
			t.Errorf("%s has %d elements of a text from outside", path, made)
		}
		if away := eval[int](b, `[...document.links].filter((a) => a.hostname === "elsewhere.example").length`); away > 0 {
			t.Errorf("%s has %d links to elsewhere", path, away)
		}
	}
	b.sound()
}

// state is a site in a state that changes its pages most.
type state struct {
	site *site
	// pages are addresses, each with the status and what its page must say.
	pages map[string]said
}

type said struct {
	status int64
	texts  []string
}

// In each state that changes pages most they say so, and what to do, with the right status;
// none is blank, and axe-core finds nothing on any.
//
//nolint:tparallel,paralleltest // the states share one browser
func TestPagesInEachState(t *testing.T) {
	browser := chromium(t)
	t.Parallel()
	for name, begin := range map[string]func(*testing.T) state{
		"no rounds": noRounds, "one runs": oneRuns, "cancelled": cancelled, "damaged": damaged, "NATS is away": withoutNATS, "Redis is away": withoutRedis,
	} {
		t.Run(name, func(t *testing.T) {
			is := begin(t)
			b := browser.open(t, is.site.url, look{width: 390, dark: true})
			b.mild = "Failed to load resource: the server responded with a status of"
			for path, want := range is.pages {
				if status := b.answers(path); status != want.status {
					t.Errorf("%s: status %d, want %d", path, status, want.status)
				}
				shown := b.text("main")
				for _, text := range want.texts {
					if !strings.Contains(shown, text) {
						t.Errorf("%s does not say %q: %s", path, text, shown)
					}
				}
				b.accessible(axe(t))
				b.fits()
				b.pictured(strings.ReplaceAll(name+path, "/", "-"))
			}
			b.sound()
		})
	}
}

func noRounds(t *testing.T) state {
	t.Helper()
	return state{serve(t, roundtest.Start(t)), map[string]said{
		"/":              {200, []string{"There is no round yet"}},
		"/rounds/latest": {404, []string{"There is no round yet", "producer serve"}},
		"/limit":         {200, []string{"There is no bucket in Redis yet"}},
		"/workers":       {200, []string{"No worker"}},
		"/tokens":        {200, nil},
		"/search?q=7":    {200, nil},
	}}
}

func oneRuns(t *testing.T) state {
	t.Helper()
	f := roundtest.Start(t)
	l := f.Begin(t, "20260601t000000z-0a0b0c", 6)
	l.Step(1)
	l.Shows(doing.State{What: "files of a/b#7", Waits: doing.Permit, Place: 2}, 1)
	return state{serve(t, f), map[string]said{
		"/":                              {200, []string{l.Round, "running"}},
		"/rounds/latest":                 {200, []string{"0 done, 0 failed of 6", "permit, 2nd in line"}},
		"/rounds/" + l.Round + "?page=9": {200, nil},
	}}
}

func cancelled(t *testing.T) state {
	t.Helper()
	f := roundtest.Start(t)
	m := f.Plan(t, time.Now())
	must.Do(t, f.Bus.Rounds.CreateManifest(t.Context(), m))
	runner := f.Runner(t)
	ordered := must.Get(round.OrderCancel(t.Context(), f.Bus, m.Round, job.CancelOrder{By: "ann", Reason: "by mistake", At: time.Now()}))(t)
	must.Do(t, runner.FollowCancel(roundtest.Deadline(t), ordered))
	return state{serve(t, f), map[string]said{
		"/":                  {200, []string{"cancelled"}},
		"/rounds/" + m.Round: {200, []string{"The round was cancelled", "ann", "by mistake", "not complete"}},
	}}
}

// damaged is a site with a round whose plan is gone, and one whose outcome is.
func damaged(t *testing.T) state {
	t.Helper()
	f := roundtest.Start(t)
	f.Work(t)
	plan := f.Concluded(t, time.Now().Add(-time.Hour)).Round
	outcome := f.Concluded(t, time.Now()).Round
	_, js := jobstreamtest.Connect(t, f.NATS, nil)
	spoil := func(key string) {
		kv := must.Get(js.KeyValue(t.Context(), job.BucketRounds))(t)
		must.Get(kv.Put(t.Context(), key, []byte("nonsense")))(t)
	}
	spoil(job.ManifestKey(plan))
	spoil(job.OutcomeKey(outcome, 1))
	return state{serve(t, f), map[string]said{
		"/":                  {200, []string{"damaged", plan, outcome}},
		"/rounds/" + plan:    {500, []string{"The round cannot be read", "producer doctor"}},
		"/rounds/" + outcome: {200, []string{"damaged", "producer run --resume " + outcome}},
	}}
}

func withoutNATS(t *testing.T) state {
	t.Helper()
	f := roundtest.Start(t)
	s := serve(t, f, func(c *dashboard.Config) { c.Timeout = 300 * time.Millisecond })
	f.Stop()
	pages := map[string]said{"/limit": {503, nil}}
	for _, path := range []string{"/", "/rounds/latest", "/workers", "/tokens", "/search?q=7"} {
		pages[path] = said{503, []string{"NATS or Redis did not answer in time", "Health says"}}
	}
	return state{s, pages}
}

func withoutRedis(t *testing.T) state {
	t.Helper()
	f := roundtest.Start(t)
	l := f.Begin(t, "20260601t000000z-0a0b0c", 2)
	s := serve(t, f, func(c *dashboard.Config) {
		c.Buckets = func(context.Context) ([]ratelimit.State, error) { return nil, errors.New("redis is away") }
	})
	return state{s, map[string]said{
		"/":                  {200, []string{l.Round}},
		"/rounds/" + l.Round: {200, []string{"Redis does not answer"}},
		"/limit":             {503, []string{"Redis did not answer in time", "Health says"}},
	}}
}
