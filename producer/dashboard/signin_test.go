package dashboard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/roundtest"
)

// counted counts what is read of a body.
type counted struct {
	io.Reader

	read int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

// No request makes the producer take a large body in, whatever its method is and whether its
// sender has signed in: a form of 48 MiB that came with a GET was a file in $TMPDIR for good.
func TestNoPageTakesALargeBody(t *testing.T) {
	t.Parallel()
	const reader = "PLANTED-0123456789-reader"
	b := setup(t, func(c *dashboard.Config) { c.Guard = roundtest.Guard(t, reader) })
	v := b.signIn(t, token)
	for _, cookie := range []string{"", v.cookie} {
		for _, request := range []string{
			"GET /sign-in", "HEAD /sign-in", "POST /sign-in", "POST /sign-out", "GET /", "DELETE /nothing", "GET /rounds/r1/cancel", "GET /orders/pause",
			"POST /orders/pause", "POST /limit/default/hold", "GET /search", "POST /health", "GET /rounds/r1/miners/1/what-if", "GET /live/rounds/r1",
			"POST /rounds/r1/miners/1/what-if",
		} {
			method, path, _ := strings.Cut(request, " ")
			form, kind := multipartForm(t, map[string]string{"to": "/", "token": "x", "registry": strings.Repeat("x", 4<<20)})
			body := &counted{Reader: strings.NewReader(form)}
			r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+path, body)
			r.Header.Set("Content-Type", kind)
			r.Header.Set("Cookie", cookie)
			w := httptest.NewRecorder()
			b.pages.ServeHTTP(w, r)
			most := 128 << 10
			if request == "POST /rounds/r1/miners/1/what-if" {
				most = 2 << 20 // a registry has 1 MiB
			}
			if body.read > most {
				t.Errorf("%s, signed in %t: %d bytes of the body are read, want %d at most", request, cookie != "", body.read, most)
			}
		}
	}
}

// Whoever guesses tokens is told to wait, and does not fill the log.
func TestTooManyWrongTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 10 {
		has(t, b.ask(t, http.MethodPost, "/sign-in", "token=wrong"), http.StatusUnauthorized, "not one of the producer")
	}
	for range 2 {
		a := b.ask(t, http.MethodPost, "/sign-in", "to=/limit&token="+token)
		has(t, a, http.StatusTooManyRequests, "Wait a minute", `value="/limit"`)
		if wait, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 60 {
			t.Errorf("Retry-After is %d, %v, want at most 60", wait, err)
		}
	}
	if log := b.Log.String(); log != "" {
		t.Errorf("the log is %s, want nothing", log)
	}
}

// Whoever signs in comes back to the page that was asked for, and never to another site.
func TestASignInLeadsBack(t *testing.T) {
	t.Parallel()
	const reader = "PLANTED-0123456789-reader"
	b := setup(t, func(c *dashboard.Config) { c.Guard = roundtest.Guard(t, reader) })
	for address, to := range map[string]string{
		"/":                                 "/",
		"/limit?x=%22%3E&y=a+b":             "/limit?x=%22%3E&y=a+b",
		"/rounds/r1/miners/5?revision=2":    "/rounds/r1/miners/5?revision=2",
		"/sign-in?to=%2Ftokens%3Ffilter%3D": "/tokens?filter=",
		"/sign-in?to=%2F%2Fevil.example":    "/",
		"/sign-in?to=https://evil.example":  "/",
		"/%5Cevil.example":                  "/%5Cevil.example",
	} {
		page := b.get(t, address)
		for _, input := range parsed(t, page).all("input") {
			if input.attribute("name") != "to" {
				continue
			}
			form := url.Values{"to": {input.attribute("value")}, "token": {reader}}
			a := b.submit(t, http.MethodPost, "/sign-in", form.Encode()) //nolint:bodyclose // submit closes it
			if got := a.Header.Get("Location"); got != to {
				t.Errorf("signing in on %s leads to %q, want %q", address, got, to)
			}
		}
	}
}

// Whoever has signed in can sign out, with a token for reading, too.
func TestSignOut(t *testing.T) {
	t.Parallel()
	const reader = "PLANTED-0123456789-reader"
	b := setup(t, func(c *dashboard.Config) { c.Guard = roundtest.Guard(t, reader) })
	for secret, name := range map[string]string{token: "<span>ann</span>", reader: "<span>reading</span>"} {
		v := b.signIn(t, secret)
		v.shows(t, "/search", name, `action="/sign-out"`)
		v.submit(t, http.MethodPost, "/sign-out", "", "Cookie", v.cookie) //nolint:bodyclose // submit closes it
		has(t, b.get(t, "/search", "Cookie", v.cookie), http.StatusUnauthorized)
		if a := b.get(t, "/search", "Authorization", "Bearer "+secret); strings.Contains(a.Body, "/sign-out") {
			t.Error("a caller without a session is offered to end it")
		}
	}
}
