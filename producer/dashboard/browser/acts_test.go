package browser_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/scoring/input"
)

// scored is a site with a concluded round of miners with work of every kind.
func scored(t *testing.T, text string) (s *site, round string) {
	t.Helper()
	f := roundtest.Start(t)
	f.Text = text
	registry := must.Get(input.ParseRegistry(f.Plan(t, roundtest.Now).Registry))(t)
	f.Evaluate = func(j job.Job) job.Evaluation { return roundtest.ByTheRules(j, registry, text) }
	f.Work(t)
	return serve(t, f), f.Concluded(t, time.Now()).Round
}

// A change is chosen in the controls of a what-if, and the page has the API's answer to it,
// with a script and without.
func TestAWhatIfThroughTheControls(t *testing.T) {
	browser := chromium(t)
	t.Parallel()
	s, round := scored(t, "")
	answer := nettest.Ask(t, http.MethodPost, s.url+"/api/v1/rounds/"+round+"/miners/1/what-if", `{"merge": ["a/b#103"]}`)
	var want view.WhatIf
	must.Do(t, json.Unmarshal([]byte(answer.Body), &want))
	asked := slices.IndexFunc(want.Miners, func(d view.Difference) bool { return d.UID == 1 })
	reward := want.Miners[asked].Reward
	for _, l := range []look{{width: 1280}, {width: 390, noScript: true}} {
		b := browser.open(t, s.url, l)
		b.goes("/rounds/" + round + "/miners/1/what-if")
		b.types("#about-state", "a/b#103")
		b.clicks(`section[aria-label="State"] button`)
		text := b.text("main .tiles")
		for _, figure := range []float64{reward.Old, reward.New} {
			if !strings.Contains(text, fmt.Sprintf("%.9f", figure)) {
				t.Errorf("the page says %q, the API %v", text, figure)
			}
		}
		b.sound()
	}
}

// An egress is held through the pages, which say so, and released again, with a script and
// without.
func TestAnEgressIsHeldAndReleased(t *testing.T) {
	browser := chromium(t)
	t.Parallel()
	s := serve(t, roundtest.Start(t))
	must.Get(s.Limiter.Permit(t.Context()))(t)
	s.signsIn(browser.open(t, s.url, look{width: 1280}))
	for _, l := range []look{{width: 1280}, {width: 390, noScript: true}} {
		b := browser.open(t, s.url, l)
		b.goes("/limit")
		b.clicks(`a[href="/limit/default/hold"]`)
		b.types("#reason", "the provider moves us")
		b.clicks("main form button")
		if text := b.text("main"); b.at() != "/limit?told=held#egress-default" || !strings.Contains(text, "the provider moves us") || !strings.Contains(text, "ann") {
			t.Errorf("after the hold %s says %q, want who holds it and why", b.at(), text)
		}
		if held := must.Get(s.Buckets(t.Context()))(t)[0]; held.Hold <= 0 {
			t.Errorf("the egress is not held: %+v", held)
		}
		b.clicks(`a[href="/limit/default/release"]`)
		b.clicks("main form button")
		if free := must.Get(s.Buckets(t.Context()))(t)[0]; b.at() != "/limit?told=released#egress-default" || free.Hold > 0 {
			t.Errorf("after the release, at %s, the egress has %+v", b.at(), free)
		}
		b.sound()
	}
}

// Pages, filter, search and sign-in work in a browser without JavaScript.
func TestWithoutAScript(t *testing.T) {
	browser := chromium(t)
	t.Parallel()
	s, round := scored(t, "")
	b := browser.open(t, s.url, look{width: 1280, noScript: true})
	s.signsIn(b)
	b.goes("/rounds/" + round + "?sort=-score&filter=login2")
	if text := b.text(`[aria-label="Miners"] table`); !strings.Contains(text, "login2") || strings.Contains(text, "login1") {
		t.Errorf("the filtered table has %q", text)
	}
	b.types(".search input", "login1")
	b.enters()
	if at := b.at(); at != "/rounds/"+round+"/miners/1" {
		t.Errorf("the search leads to %s", at)
	}
	b.sound()
}

// While its tab is hidden a page of a round that runs gets nothing. When it is shown again it
// catches up.
func TestAHiddenTabCatchesUp(t *testing.T) {
	browser := chromium(t)
	t.Parallel()
	f := roundtest.Start(t)
	s, l := serve(t, f), f.Begin(t, "20260601t000000z-0a0b0c", 9)
	b := browser.open(t, s.url, look{width: 1280})
	b.goes("/rounds/" + l.Round)
	b.until("live updates", `document.querySelector("[data-live-state]").textContent === "Live"`)
	const progress = `document.querySelector("#region-progress").textContent`
	before := eval[string](b, progress)
	b.hides()
	must.Until(t.Context(), t, "the end of the updates", func() bool { return s.streams.Load() == 0 })
	l.Step(1)
	l.Step(1)
	must.Until(t.Context(), t, "something to miss", func() bool {
		return strings.Contains(nettest.Ask(t, http.MethodGet, s.url+"/rounds/"+l.Round, "").Body, "1 done")
	})
	if got := eval[string](b, progress); got != before || s.streams.Load() > 0 {
		t.Errorf("the hidden tab shows %q, want %q, and gets %d updates", got, before, s.streams.Load())
	}
	b.shows()
	b.until("the job's end", progress+`.includes("1 done")`)
	b.sound()
}
