package browser_test

import (
	"fmt"
	"strings"
	"testing"
)

// quick is a limit that lets the demo round pass in seconds.
var quick = []string{"--limit-requests", "2000", "--limit-horizon", "1s"}

// pages are addresses of every kind of page, of a round of the demo world.
func (f *fleet) pages() map[string]string {
	round := "/rounds/" + f.round
	return map[string]string{
		"rounds":       "/",
		"round":        round,
		"compare":      round + "/compare?from=1&to=1",
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

// TestEveryPageIsAccessibleAndFits: axe-core finds nothing on any page, in either theme, at a
// desk and on a telephone; no page is scrolled sideways; the console names no error.
//
//nolint:tparallel,paralleltest // the looks share one browser and its session
func TestEveryPageIsAccessibleAndFits(t *testing.T) {
	t.Parallel()
	axe, browser := axe(t), chromium(t)
	f := start(t, quick...)
	first := browser.open(t, f.site, look{width: 1280})
	f.concluded(first)
	f.signsIn(first)
	for _, l := range []look{{width: 1280}, {width: 1280, dark: true}, {width: 390}, {width: 390, dark: true}} {
		t.Run(l.String(), func(t *testing.T) {
			b := browser.open(t, f.site, l)
			b.mild = "Failed to load resource: the server responded with a status of 4" // pages of what is not there
			for name, path := range f.pages() {
				b.goes(path)
				if title := eval[string](b, "document.title"); !strings.HasSuffix(title, " · mirrorfleet") {
					t.Errorf("%s has the title %q", path, title)
				}
				b.accessible(axe)
				b.fits()
				b.pictured(name + "-" + l.String())
			}
			b.sound()
		})
	}
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

// TestARoundIsFollowedLive: the page of a round that runs moves on by itself, stands still
// while updates are paused, and shows the outcome when there is one.
func TestARoundIsFollowedLive(t *testing.T) {
	t.Parallel()
	f := start(t, "--limit-requests", "120", "--limit-horizon", "1s")
	b := chromium(t).open(t, f.site, look{width: 1280})
	f.named(b)
	b.goes("/rounds/" + f.round)
	b.until("live updates", `document.querySelector("[data-live-state]").textContent === "Live"`)
	const progress = `document.querySelector("#region-progress").textContent`
	before := eval[string](b, progress)
	b.until("progress", fmt.Sprintf("%s !== %q", progress, before))
	b.until("the button", `!document.querySelector("[data-pause]").hidden`)
	eval[bool](b, `(document.querySelector("[data-pause]").click(), true)`)
	paused := eval[string](b, progress)
	b.until("two seconds", `(globalThis.began ??= Date.now()) + 2000 < Date.now()`)
	if got := eval[string](b, progress); got != paused {
		t.Errorf("while updates are paused the page changes from %q to %q", paused, got)
	}
	eval[bool](b, `(document.querySelector("[data-pause]").click(), true)`)
	b.until("the outcome", `!document.body.dataset.live && /complete|incomplete/.test(document.querySelector("main .head .badge").textContent)`)
	b.sound()
}

// TestAGroupIsReplayed: an operator signs in, looks at what failed, replays a group, and
// follows the replay to its revision.
func TestAGroupIsReplayed(t *testing.T) {
	t.Parallel()
	f := start(t, quick...)
	b := chromium(t).open(t, f.site, look{width: 1280})
	f.concluded(b)
	f.signsIn(b)
	b.goes("/rounds/" + f.round)
	b.clicks(`a[href*="/replay?like="]`)
	if text := b.text("main"); !strings.Contains(text, "miner") {
		t.Errorf("before the replay the page says %q, want which miners run again", text)
	}
	b.clicks("main form button")
	b.until("the replay", `(globalThis.asked ??= fetch("/api/v1/rounds/" + location.pathname.split("/")[2]).then((r) => r.json()).then((r) => {
		globalThis.asked = undefined;
		globalThis.revision = r.revision;
	}), globalThis.revision === 2)`)
	b.goes("/rounds/" + f.round + "/compare?from=1&to=2")
	if text := b.text("main"); !strings.Contains(text, "Revision 2 against revision 1") {
		t.Errorf("the comparison says %q", text)
	}
	b.sound()
}

// TestByKeyboardAlone: / leads to the search, which finds a miner; Enter follows links.
func TestByKeyboardAlone(t *testing.T) {
	t.Parallel()
	f := start(t, quick...)
	b := chromium(t).open(t, f.site, look{width: 1280})
	f.concluded(b)
	b.goes("/") // the page of the round may still reload
	b.presses("/", "/", 191)
	b.presses("1", "1", '1')
	b.presses("2", "2", '2')
	b.enters()
	if at := b.at(); at != "/rounds/"+f.round+"/miners/12" {
		t.Errorf("the search leads to %s", at)
	}
	b.presses("Tab", "", 9) // the first thing on a page leads past the navigation
	if focus := eval[string](b, "document.activeElement.textContent"); focus != "Skip to the content" {
		t.Errorf("the first tab stop is %q", focus)
	}
	b.sound()
}

// TestWithoutAScript: pages, search, sign-in and an act work in a browser without JavaScript.
func TestWithoutAScript(t *testing.T) {
	t.Parallel()
	f := start(t, quick...)
	browser := chromium(t)
	f.concluded(browser.open(t, f.site, look{width: 1280}))
	b := browser.open(t, f.site, look{width: 1280, noScript: true})
	f.signsIn(b)
	b.goes("/limit/default/hold")
	b.clicks("main form button")
	if text := b.text("main"); !strings.Contains(text, "hold") && !strings.Contains(text, "held") {
		t.Errorf("after a hold the page says %q", text)
	}
	b.goes("/rounds/" + f.round + "?sort=-score&filter=12")
	if text := b.text(`[aria-label="Miners"] table`); !strings.Contains(text, "12") {
		t.Errorf("the filtered table has %q", text)
	}
	b.sound()
}
