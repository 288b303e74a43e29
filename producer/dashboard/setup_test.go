package dashboard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/roundtest"

	"go.uber.org/goleak"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/steering"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// token is ann's, for orders. It must come out nowhere.
const token = roundtest.Token

// hostile is at the end of every text from outside.
const hostile = roundtest.Hostile

// now is the tests' instant.
var now = roundtest.Now

// bundle is a dashboard over real NATS and Redis, with what a round needs.
type bundle struct {
	*roundtest.Fleet

	pages *dashboard.Dashboard
	url   string
}

// servers opens NATS and Redis, without a dashboard. All texts from outside are hostile.
func servers(tb testing.TB) *bundle {
	tb.Helper()
	b := &bundle{Fleet: roundtest.Start(tb)}
	b.Text = hostile
	return b
}

// setup serves the dashboard over all that, with ann's token and the clock of the tests.
func setup(tb testing.TB, changes ...func(*dashboard.Config)) *bundle {
	tb.Helper()
	b := servers(tb)
	b.serve(tb, changes...)
	return b
}

func (b *bundle) serve(tb testing.TB, changes ...func(*dashboard.Config)) {
	tb.Helper()
	cfg := dashboard.Config{
		Bus:      b.Bus,
		Guard:    roundtest.Guard(tb, ""),
		Hub:      b.Hub(tb),
		Buckets:  b.Buckets,
		Operator: b.operator(tb),
		Doctor:   func(context.Context) (doctor.Diagnosis, error) { return doctor.Diagnosis{}, nil },
		Now:      func() time.Time { return now },
		Timeout:  30 * time.Second,
		Log:      b.Logger(),
	}
	for _, change := range changes {
		change(&cfg)
	}
	d := must.Get(dashboard.New(cfg))(tb)
	server := httptest.NewServer(d)
	tb.Cleanup(func() { d.Close(); server.Close() })
	b.pages, b.url = d, server.URL
}

// operator carries out orders until the test's end.
func (b *bundle) operator(tb testing.TB) *steering.Operator {
	tb.Helper()
	o := must.Get(steering.NewOperator(tb.Context(), b.Orders(tb)))(tb)
	tb.Cleanup(o.Close)
	return o
}

// get asks for a page, and holds what is true of every page.
func (b *bundle) get(t *testing.T, path string, headers ...string) nettest.Answer {
	t.Helper()
	return b.ask(t, http.MethodGet, path, "", headers...)
}

func (b *bundle) ask(t *testing.T, method, path, body string, headers ...string) nettest.Answer {
	t.Helper()
	headers = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)
	a := nettest.Ask(t, method, b.url+path, body, headers...)
	if strings.Contains(a.Body, token) || strings.Contains(b.Log.String(), token) {
		t.Errorf("%s %s: the token is in the page or in the log", method, path)
	}
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		return a
	}
	if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s %s: the content-security policy is %q", method, path, policy)
	}
	checkHostile(t, path, a.Body)
	return a
}

// noFollow asks for a page without going where it leads.
func (b *bundle) noFollow(t *testing.T, path string) *http.Response {
	t.Helper()
	return b.submit(t, http.MethodGet, path, "")
}

// submit sends a request, a POST as a form does, without going where the answer leads.
func (b *bundle) submit(t *testing.T, method, path, form string, headers ...string) *http.Response {
	t.Helper()
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	request := must.Get(http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(form)))(t)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	must.Do(t, err)
	must.Check(t, response.Body.Close())
	return response
}

// checkHostile holds that no text from outside is markup, and that each one with a direction
// mark is isolated, or stands in an attribute, in the title or in a control.
func checkHostile(t *testing.T, path, body string) {
	t.Helper()
	if strings.Contains(body, "<script>") || strings.Contains(body, "' onload") {
		t.Errorf("%s: markup from outside is in the page", path)
	}
	for at := range body {
		if !strings.HasPrefix(body[at:], "\u202e") {
			continue
		}
		before := body[:at]
		within := func(open, end string) bool { return strings.LastIndex(before, open) > strings.LastIndex(before, end) }
		if !within("<bdi", "</bdi") && !within("<", ">") && !within("<title", "</title") && !within("<textarea", "</textarea") {
			t.Errorf("%s: a text from outside is not isolated: …%.80s", path, before[max(0, at-80):])
		}
	}
}

// has holds the status of a page, and that it has texts.
func has(t *testing.T, a nettest.Answer, status int, texts ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("%s: %d, want %d", a.Request.URL, a.Status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("%s: no %q in %.9000s", a.Request.URL, text, a.Body)
		}
	}
}
