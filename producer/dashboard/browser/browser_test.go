package browser_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/roundtest"
	"mirrorfleet/shared/must"
)

// pages are addresses of every kind of page, of a round of the demo world.
func (f *fleet) pages() map[string]string {
	round := "/rounds/" + f.round
	return map[string]string{
		"rounds":       "/",
		"round":        round,
		"compare":      round + "/compare?from=1&to=2",
		"miner":        round + "/miners/12",
		"zero":         round + "/miners/52",
		"no-token":     round + "/miners/60",
		"repositories": round + "/repositories",
		"what-if":      round + "/miners/12/what-if",
		"replay":       round + "/replay",
		"cancel":       round + "/cancel",
		"limit":        "/limit",
		"hold":         "/limit/default/hold",
		"workers":      "/workers",
		"tokens":       "/tokens",
		"health":       "/health",
		"now":          "/orders/now",
		"pause":        "/orders/pause",
		"search":       "/search?q=nobody-has-this",
		"sign-in":      "/sign-in",
		"nothing":      "/nothing/here",
		"gone":         "/rounds/20200101t000000z-000000",
	}
}

// A real fleet over the demo world, some of whose requests fail for good: a warm-up ahead of a
// turn is watched, a round is followed live, a group of its failures is replayed, and every
// kind of its pages is looked at.
//
//nolint:tparallel,paralleltest // each part goes on where the one before has ended
func TestARoundInABrowser(t *testing.T) {
	browser := chromium(t)
	t.Parallel()
	f := start(t)
	b := browser.open(t, f.site, look{width: 1280, dark: true})
	f.signsIn(b)
	f.warmed(b, browser.open(t, f.site, look{width: 390}))
	f.runs(t)
	f.followed(b)
	f.concluded(b)
	f.spared(b)
	f.replayed(b)
	for _, l := range []look{{width: 1280}, {width: 1280, dark: true}, {width: 390}, {width: 390, dark: true}} {
		t.Run(l.String(), func(t *testing.T) { f.looked(browser.open(t, f.site, l), l) })
	}
}

// looked looks at every page: axe-core finds nothing on it, it is not scrolled sideways, and
// the console names no error.
func (f *fleet) looked(b *tab, l look) {
	b.t.Helper()
	b.mild = "Failed to load resource: the server responded with a status of 4" // pages of what is not there
	for name, path := range f.pages() {
		b.goes(path)
		if title := eval[string](b, "document.title"); !strings.HasSuffix(title, " · mirrorfleet") {
			b.t.Errorf("%s has the title %q", path, title)
		}
		b.t.Logf("%-12s first paint after %s", name, b.painted())
		if l != (look{width: 390}) { // what axe-core looks at in both themes, it has seen at 1280
			b.accessible(axe(b.t))
		}
		b.fits()
		b.pictured(name + "-" + l.String())
	}
	b.sound()
}

// signsIn gives the token, for all tabs of the browser.
func (f *fleet) signsIn(b *tab) {
	b.t.Helper()
	b.goes("/sign-in")
	b.types("#token", f.token)
	b.clicks("main form button")
	if text := b.text("header"); !strings.Contains(text, "Sign out") {
		b.t.Fatalf("after signing in the header says %q", text)
	}
}

// warmed holds that the page of the rounds tells of a warm-up while it runs: ahead of which
// turn, and how far it is. The workers' page shows the miners in work, the limit's what is sent
// for them. A pause of the schedule ends the warm-up, and the page says so.
func (f *fleet) warmed(b, narrow *tab) {
	b.t.Helper()
	must.Until(b.t.Context(), b.t, "the warm-up", func() bool {
		b.goes("/")
		return strings.Contains(b.text("main"), "0 of 23 miners done")
	})
	if text := b.text(`[aria-label="Warm-up"]`); !strings.Contains(text, "running") || !strings.Contains(text, "10.0 % of each egress") {
		b.t.Errorf("the page says of the warm-up %q, want that it runs, and with which part of the limit", text)
	}
	if turn := eval[string](b, `document.querySelector('[aria-label="Warm-up"] time:not([data-relative])').dateTime`); turn != f.turn.Format(time.RFC3339) {
		b.t.Errorf("the warm-up is ahead of the turn at %s, want %s", turn, f.turn)
	}
	b.accessible(axe(b.t))
	b.pictured("warm-up-1280-dark")
	narrow.goes("/")
	narrow.fits()
	narrow.pictured("warm-up-390-light")
	f.works(b.t)
	must.Until(b.t.Context(), b.t, "a miner in work", func() bool {
		b.goes("/workers")
		return strings.Contains(b.text("main"), "warm-up")
	})
	b.goes("/limit")
	if sent := b.text(`#egress-default .tiles`); !regexp.MustCompile(`[1-9]\d* of the background`).MatchString(sent) {
		b.t.Errorf("the egress has sent %q, want requests of the background", sent)
	}
	must.Until(b.t.Context(), b.t, "a miner that is done", func() bool {
		b.goes("/")
		return partDone.MatchString(b.text("main"))
	})
	f.orders(b, "pause", "the provider moves us")
	must.Until(b.t.Context(), b.t, "the end of the warm-up", func() bool {
		b.goes("/")
		text := b.text("main")
		return strings.Contains(text, "by ann: the provider moves us. No turn begins") && partDone.MatchString(text) && strings.Contains(text, "the schedule was paused")
	})
	f.orders(b, "resume", "")
	b.sound()
	narrow.sound()
}

// partDone is how far a warm-up is that has begun and is not done.
var partDone = regexp.MustCompile(`\b([1-9]|1\d|2[0-2]) of 23 miners`)

// orders gives an order to the schedule.
func (f *fleet) orders(b *tab, order, reason string) {
	b.t.Helper()
	b.goes("/")
	b.clicks(`a[href="/orders/` + order + `"]`)
	if reason != "" {
		b.types("#reason", reason)
	}
	b.clicks("main form button")
}

// spared holds that the page of the round says how many pull requests it had from the cache,
// which the warm-up has filled.
func (f *fleet) spared(b *tab) {
	b.t.Helper()
	b.goes("/rounds/" + f.round)
	if text := b.text("main .tiles"); !regexp.MustCompile(`From the cache\s+[1-9]\d*`).MatchString(text) {
		b.t.Errorf("the round's figures are %q, want pull requests from the cache", text)
	}
	b.sound()
}

// followed holds that the page of a round that runs moves on by itself, stands still while
// updates are paused, and shows the outcome when there is one.
func (f *fleet) followed(b *tab) {
	b.t.Helper()
	f.named(b)
	b.goes("/rounds/" + f.round)
	b.until("live updates", `document.querySelector("[data-live-state]").textContent === "Live"`)
	const progress = `document.querySelector("#region-progress").textContent`
	before := eval[string](b, progress)
	b.until("progress", fmt.Sprintf("%s !== %q", progress, before))
	b.pictured("running-1280-dark")
	b.until("the button", `!document.querySelector("[data-pause]").hidden`)
	eval[bool](b, `(document.querySelector("[data-pause]").click(), true)`)
	paused := eval[string](b, progress)
	b.until("two seconds", `(globalThis.began ??= Date.now()) + 2000 < Date.now()`)
	if got := eval[string](b, progress); got != paused {
		b.t.Errorf("while updates are paused the page changes from %q to %q", paused, got)
	}
	eval[bool](b, `(document.querySelector("[data-pause]").click(), true)`)
	b.until("the outcome", `!document.body.dataset.live && /complete|incomplete/.test(document.querySelector("main .head .badge").textContent)`)
	b.sound()
}

// replayed holds that an operator sees what a replay of a group does, gives it, and finds its
// revision.
func (f *fleet) replayed(b *tab) {
	b.t.Helper()
	b.goes("/rounds/" + f.round)
	b.pictured("incomplete-1280-dark")
	b.clicks(`a[href*="/replay?like="]`)
	if text := b.text("main"); !strings.Contains(text, "miner") {
		b.t.Errorf("before the replay the page says %q, want which miners run again", text)
	}
	b.clicks("main form button")
	b.until("the replay", `(globalThis.asked ??= fetch("/api/v1/rounds/" + location.pathname.split("/")[2]).then((r) => r.json()).then((r) => {
		globalThis.asked = undefined;
		globalThis.revision = r.revision;
	}), globalThis.revision === 2)`)
	b.goes("/rounds/" + f.round + "/compare?from=1&to=2")
	if text := b.text("main"); !strings.Contains(text, "Revision 2 against revision 1") {
		b.t.Errorf("the comparison says %q", text)
	}
	b.sound()
}

// TestByKeyboardAlone: / leads to the search, which finds a miner; Enter follows links.
func TestByKeyboardAlone(t *testing.T) {
	browser := chromium(t)
	t.Parallel()
	s := serve(t, roundtest.Start(t))
	s.Work(t)
	round := s.Concluded(t, time.Now()).Round
	b := browser.open(t, s.url, look{width: 1280})
	b.goes("/")
	b.presses("/", "/", 191)
	b.presses("2", "2", '2')
	b.enters()
	if at := b.at(); at != "/rounds/"+round+"/miners/2" {
		t.Errorf("the search leads to %s", at)
	}
	b.presses("Tab", "", 9) // the first thing on a page leads past the navigation
	if focus := eval[string](b, "document.activeElement.textContent"); focus != "Skip to the content" {
		t.Errorf("the first tab stop is %q", focus)
	}
	b.sound()
}
