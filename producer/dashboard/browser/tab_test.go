package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"mirrorfleet/shared/must"
)

// patience bounds what a test waits for in a browser, on a busy machine.
const patience = time.Minute

// browser is a test's part of the one Chromium: its tabs share cookies with no other test.
type browser struct {
	ctx context.Context //nolint:containedctx // a browser lives in it
}

// running is the Chromium of all tests, while one of them wants it: starting one takes a
// second, and tests are many.
var running struct {
	mu    sync.Mutex
	tests int
	ctx   context.Context //nolint:containedctx // a browser lives in it
	quit  func() error
}

// chromium starts the browser if it does not run, until the last of the tests that want it has
// ended. A test asks for it before it lets others run beside it: then it runs as long as there
// are tests.
func chromium(t *testing.T) browser {
	t.Helper()
	running.mu.Lock()
	defer running.mu.Unlock()
	if running.tests == 0 {
		startChromium(t)
	}
	running.tests++
	t.Cleanup(func() {
		running.mu.Lock()
		defer running.mu.Unlock()
		if running.tests--; running.tests == 0 {
			must.Check(t, running.quit())
		}
	})
	ctx, quit := chromedp.NewContext(running.ctx, chromedp.WithNewBrowserContext())
	must.Do(t, chromedp.Do(ctx))
	t.Cleanup(quit)
	return browser{ctx}
}

func startChromium(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: tools/setup test installs it", err)
	}
	// No sandbox: the tests may run as root, and open pages of the product alone.
	allocator, quit := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), chromedp.ExecPath(path), chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, closeAll := chromedp.NewContext(allocator)
	must.Do(t, chromedp.Do(ctx))
	running.ctx = ctx //nolint:fatcontext // it nests in none of the former browsers
	running.quit = func() error {
		defer quit()
		defer closeAll()
		return chromedp.Cancel(ctx)
	}
}

// look is how a tab shows pages.
type look struct {
	width    int64
	dark     bool
	noScript bool
}

func (l look) String() string {
	theme := "light"
	if l.dark {
		theme = "dark"
	}
	return fmt.Sprintf("%d-%s", l.width, theme)
}

// tab is one tab of the browser. What the console says of errors fails the test.
type tab struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // a tab lives in it
	site string

	mu    sync.Mutex
	wrong []string
	mild  string // errors that contain it are meant; "" for none
}

func (w browser) open(t *testing.T, site string, l look) *tab {
	t.Helper()
	ctx, quit := chromedp.NewContext(w.ctx)
	t.Cleanup(quit)
	b := &tab{t: t, ctx: ctx, site: site}
	must.Do(t, chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.note("exception: " + e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				b.note(fmt.Sprintf("console.%s", e.Type))
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				b.note(e.Entry.Text + " " + e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			if own := strings.HasPrefix(e.Request.URL, site+"/"); !own && !strings.HasPrefix(e.Request.URL, "data:") { // an icon of a control
				b.note("a request to elsewhere: " + e.Request.URL)
			}
		case *page.EventJavascriptDialogOpening:
			b.note("a dialog opened: " + e.Message)
		}
	}))
	theme := "light"
	if l.dark {
		theme = "dark"
	}
	command(b, page.BringToFront, cdp.Empty{}) // tabs of one window hide each other, and a hidden one paints nothing
	command(b, log.Enable, cdp.Empty{})
	command(b, network.Enable, network.EnableParams{})
	command(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width:             l.width,
		Height:            900,
		DeviceScaleFactor: 1,
	})
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	})
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.noScript})
	return b
}

// command sends a command of the browser's protocol.
func command[P, R any](b *tab, c cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, c, params); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mild == "" || !strings.Contains(text, b.mild) {
		b.wrong = append(b.wrong, text)
	}
}

// sound fails the test if the console has named an error.
func (b *tab) sound() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.wrong {
		b.t.Errorf("the browser's console: %s", text)
	}
	b.wrong = nil
}

// run runs an action of the browser, and ends the test with what the page shows if it fails.
func run[V any](b *tab, what string, action chromedp.Action[V]) V {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		shown, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
		at, _ := chromedp.Run(b.ctx, chromedp.Location())
		b.t.Fatalf("%s: %v; at %s, which shows:\n%s", what, err, at, shown)
	}
	return value
}

// goes opens an address of the site.
func (b *tab) goes(path string) {
	b.t.Helper()
	run(b, "opening "+path, chromedp.Navigate(b.site+path))
}

// answers opens an address of the site, and says with which status it answers.
func (b *tab) answers(path string) int64 {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, chromedp.Navigate(b.site+path))
	if err != nil {
		b.t.Fatalf("opening %s: %v", path, err)
	}
	return response.Status
}

// hides and shows hide the tab's window, and show it again.
func (b *tab) hides() { b.window("hidden", cdpbrowser.WindowStateMinimized) }
func (b *tab) shows() { b.window("visible", cdpbrowser.WindowStateNormal) }

func (b *tab) window(visibility string, state cdpbrowser.WindowState) {
	b.t.Helper()
	at := must.Get(chromedp.Call(b.ctx, cdpbrowser.GetWindowForTarget, cdpbrowser.GetWindowForTargetParams{}))(b.t)
	command(b, cdpbrowser.SetWindowBounds, cdpbrowser.SetWindowBoundsParams{
		WindowID: at.WindowID,
		Bounds:   &cdpbrowser.Bounds{WindowState: state},
	})
	b.until("the tab to be "+visibility, "document.visibilityState === "+strconv.Quote(visibility))
}

// clicks follows what a selector finds, and waits for the page that this leads to.
func (b *tab) clicks(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)); err != nil {
		b.t.Fatalf("clicking on %s: %v", selector, err)
	}
}

func (b *tab) text(selector string) string {
	b.t.Helper()
	return run(b, "reading "+selector, chromedp.Text(chromedp.CSS(selector)))
}

// at is the address of the page, without that of the site.
func (b *tab) at() string {
	b.t.Helper()
	return strings.TrimPrefix(run(b, "asking for the address", chromedp.Location()), b.site)
}

// until waits until an expression of JavaScript is true, whatever pages the tab goes through
// meanwhile.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if is && err == nil {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			shown, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
			b.t.Fatalf("waiting for %s: %v; the page shows:\n%s", what, err, shown)
		}
	}
}

// eval is the value of an expression of JavaScript.
func eval[V any](b *tab, expression string) V {
	b.t.Helper()
	return run(b, "evaluating", chromedp.Evaluate[V](expression))
}

// violation is what axe-core finds.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"` //nolint:tagliatelle // axe-core's name
	} `json:"nodes"`
}

// axe is the text of axe-core, which is given to the page by the debugger: the page's own
// policy would not load it.
func axe(t *testing.T) string {
	t.Helper()
	file := os.Getenv("MIRRORFLEET_TEST_AXE")
	if file == "" {
		t.Fatal("MIRRORFLEET_TEST_AXE is not set: make axe fetches axe-core, and make test sets it")
	}
	return string(must.Get(os.ReadFile(file))(t))
}

// accessible fails the test for each thing that axe-core finds on the page.
func (b *tab) accessible(axe string) {
	b.t.Helper()
	run(b, "giving axe-core to the page", chromedp.Evaluate[chromedp.Void](axe))
	found := run(b, "running axe-core", chromedp.Evaluate[[]violation](
		`axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations)`, chromedp.EvalAwaitPromise))
	for _, v := range found {
		list := must.Get(json.MarshalIndent(v.Nodes, "", "  "))(b.t)
		b.t.Errorf("%s: axe: %s (%s): %s", b.at(), v.ID, v.Help, list)
	}
}

// fits fails the test if the page has to be scrolled sideways.
func (b *tab) fits() {
	b.t.Helper()
	if over := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		widest := eval[string](b, `(() => {
			const right = document.documentElement.clientWidth;
			const over = [...document.querySelectorAll("body *")].filter((e) => !e.parentElement.closest(".scroll") && e.getBoundingClientRect().right > right + 0.5);
			return over.map((e) => e.tagName + "." + e.className).slice(0, 5).join(", ");
		})()`)
		b.t.Errorf("%s is %d px wider than the window: %s", b.at(), over, widest)
	}
}

// pictured keeps a picture of the whole page, where MIRRORFLEET_PICTURES names a folder.
func (b *tab) pictured(name string) {
	b.t.Helper()
	folder := os.Getenv("MIRRORFLEET_PICTURES")
	if folder == "" {
		return
	}
	picture := run(b, "taking a picture", chromedp.FullScreenshot(100))
	must.Do(b.t, os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600))
}

// painted is how long after the request the browser has painted something.
func (b *tab) painted() time.Duration {
	b.t.Helper()
	const first = `(performance.getEntriesByName("first-paint")[0]?.startTime ?? 0)`
	b.until("the first paint", first+" > 0")
	return time.Duration(eval[float64](b, first) * float64(time.Millisecond)).Round(time.Millisecond)
}

// types gives text to a field.
func (b *tab) types(selector, text string) {
	b.t.Helper()
	run(b, "typing", chromedp.SendKeys(chromedp.CSS(selector), text))
}

// presses sends a key wherever the focus is, as a keyboard does: what the page prevents does
// not happen. text is what the key types; "" for nothing.
func (b *tab) presses(key, text string, code int64) {
	b.t.Helper()
	press := input.DispatchKeyEventParams{
		Type:                  input.DispatchKeyEventTypeKeyDown,
		Key:                   key,
		Text:                  text,
		WindowsVirtualKeyCode: code,
	}
	command(b, input.DispatchKeyEvent, press)
	press.Type, press.Text = input.DispatchKeyEventTypeKeyUp, ""
	command(b, input.DispatchKeyEvent, press)
}

// enters presses Enter, and waits for the page that this leads to.
func (b *tab) enters() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		b.t.Fatalf("pressing Enter: %v", err)
	}
}
