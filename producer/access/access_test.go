package access_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/access"
	"mirrorfleet/shared/must"
)

// The tokens of the tests. None may come out anywhere.
const (
	ann    = "PLANTED-ann-0123456789"
	bob    = "PLANTED-bob-0123456789"
	reader = "PLANTED-reader-0123456789"
)

// bundle is a guard with a clock that the test moves.
type bundle struct {
	*access.Guard

	now time.Time
}

func setup(t *testing.T, changes ...func(*access.Config)) *bundle {
	t.Helper()
	b := &bundle{now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	cfg := access.Config{
		Orders: []access.Token{{Name: "ann", Secret: ann}, {Name: "bob", Secret: bob}}, Read: reader, Hosts: []string{"Fleet.example"},
		Now: func() time.Time { return b.now },
	}
	for _, change := range changes {
		change(&cfg)
	}
	b.Guard = must.Get(access.New(cfg))(t)
	return b
}

// request is one from 192.0.2.1, with headers as name and value.
func request(method, url string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, url, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// signIn signs in from an address, and returns the cookie that a browser would send.
func (b *bundle) signIn(t *testing.T, secret string) (access.Caller, *http.Cookie) {
	t.Helper()
	w := httptest.NewRecorder()
	caller := must.Get(b.SignIn(w, request(http.MethodPost, "/"), secret))(t)
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies, want one", len(cookies))
	}
	return caller, cookies[0]
}

func (b *bundle) with(cookie *http.Cookie) access.Caller {
	r := request(http.MethodGet, "/")
	r.AddCookie(cookie)
	return b.Caller(r)
}

// A caller is who its token says. Every token counts, whatever its place in the list.
func TestCallers(t *testing.T) {
	t.Parallel()
	from := "192.0.2.1"
	for header, want := range map[string]access.Caller{
		"":                          {From: from},
		"Bearer " + ann:             {Name: "ann", From: from, Reads: true, Orders: true},
		"bearer  " + bob + " ":      {Name: "bob", From: from, Reads: true, Orders: true},
		"Bearer " + reader:          {From: from, Reads: true},
		"Bearer " + reader + "x":    {From: from},
		"Bearer":                    {From: from},
		"Basic " + ann:              {From: from},
		"Bearer " + ann[:4]:         {From: from},
		"Bearer " + ann + " " + bob: {From: from},
	} {
		if got := setup(t).Caller(request(http.MethodGet, "/", "Authorization", header)); got != want {
			t.Errorf("with %q: %+v, want %+v", header, got, want)
		}
	}
	open := setup(t, func(c *access.Config) { c.Read, c.Orders = "", nil })
	if got := open.Caller(request(http.MethodGet, "/", "Authorization", "Bearer ")); !got.Reads || got.Orders || open.TakesOrders() {
		t.Errorf("without tokens: %+v, want that anybody reads and nobody orders", got)
	}
}

// Tokens and hosts that cannot be used are named, and no token is shown.
func TestWhatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]access.Config{
		"two tokens have the name ann":       {Orders: []access.Token{{Name: "ann", Secret: ann}, {Name: "ann", Secret: bob}}},
		"ann and bob are the same token":     {Orders: []access.Token{{Name: "ann", Secret: ann}, {Name: "bob", Secret: ann}}},
		`"Ann" of a token`:                   {Orders: []access.Token{{Name: "Ann", Secret: ann}}},
		`"" of a token`:                      {Orders: []access.Token{{Secret: ann}}},
		"want 1 to 32":                       {Orders: []access.Token{{Name: strings.Repeat("a", 33), Secret: ann}}},
		"the token ann is empty":             {Orders: []access.Token{{Name: "ann"}}},
		`"https://fleet.example" is no name`: {Hosts: []string{"https://fleet.example"}},
		`"fleet.example:8440" is no name`:    {Hosts: []string{"fleet.example:8440"}},
		`"*" is no name`:                     {Hosts: []string{"*"}},
		`"" is no name`:                      {Hosts: []string{""}},
	} {
		if _, err := access.New(cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "PLANTED") {
			t.Errorf("%v, want %q and no token", err, want)
		}
	}
}

// A request for a foreign name is refused, which a page that points its own name at this
// address would send. So is an order that a page of another site had a browser send.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	passed := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, c := range []struct {
		method, host string
		headers      []string
		want         error
	}{
		{http.MethodGet, "127.0.0.1:8440", nil, nil},
		{http.MethodGet, "10.1.2.3", nil, nil},
		{http.MethodGet, "[::1]:8440", nil, nil},
		{http.MethodGet, "::1", nil, nil},
		{http.MethodGet, "localhost:9", nil, nil},
		{http.MethodGet, "LOCALHOST.", nil, nil},
		{http.MethodGet, "fleet.example:8440", nil, nil},
		{http.MethodGet, "serve:8440", []string{"Authorization", "Bearer " + reader}, nil},
		{http.MethodGet, "serve:8440", []string{"Authorization", "Bearer " + reader + "x"}, access.ErrForeignHost},
		{http.MethodGet, "evil.example:8440", nil, access.ErrForeignHost},
		{http.MethodGet, "localhost.evil.example", nil, access.ErrForeignHost},
		{http.MethodGet, "127.0.0.1.evil.example", nil, access.ErrForeignHost},
		{http.MethodGet, "", nil, access.ErrForeignHost},
		{http.MethodPost, "localhost", []string{"Sec-Fetch-Site", "same-origin"}, nil},
		{http.MethodPost, "localhost", []string{"Sec-Fetch-Site", "cross-site"}, access.ErrCrossOrigin},
		{http.MethodPost, "localhost", []string{"Sec-Fetch-Site", "same-site"}, access.ErrCrossOrigin},
		{http.MethodPost, "localhost:8440", []string{"Origin", "http://localhost:8440"}, nil},
		{http.MethodPost, "localhost:8440", []string{"Origin", "http://localhost:9000"}, access.ErrCrossOrigin},
		{http.MethodGet, "localhost", []string{"Sec-Fetch-Site", "cross-site"}, nil},
		{http.MethodPost, "localhost", nil, nil},
	} {
		r := request(c.method, "/", c.headers...)
		r.Host = c.host
		var got error
		b.Protect(passed, func(_ http.ResponseWriter, _ *http.Request, err error) { got = err }).ServeHTTP(httptest.NewRecorder(), r)
		if !errors.Is(got, c.want) {
			t.Errorf("%s %q %q: %v, want %v", c.method, c.host, c.headers, got, c.want)
		}
		if errors.Is(c.want, access.ErrForeignHost) && !strings.Contains(got.Error(), fmt.Sprintf("%q; it is known by its IP address, localhost, fleet.example", c.host)) {
			t.Errorf("%q: %v, want the name, and those that are accepted", c.host, got)
		}
	}
}

// A session is of the token that it was begun with, until it is over or ended.
func TestSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	caller, cookie := b.signIn(t, bob)
	if want := (access.Caller{Name: "bob", From: "192.0.2.1", Reads: true, Orders: true, SignedIn: true}); caller != want || b.with(cookie) != want {
		t.Errorf("%+v, then %+v, want %+v", caller, b.with(cookie), want)
	}
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Secure || cookie.MaxAge != 12*60*60 ||
		len(cookie.Value) != 64 || strings.Contains(cookie.Value, "PLANTED") {
		t.Errorf("the cookie is %+v", cookie)
	}
	if _, other := b.signIn(t, bob); other.Value == cookie.Value {
		t.Error("two sessions have one id")
	}
	if _, reads := b.signIn(t, reader); !b.with(reads).Reads || b.with(reads).Orders {
		t.Errorf("with the token for reading: %+v", b.with(reads))
	}
	r := request(http.MethodGet, "/", "Authorization", "Bearer wrong")
	r.AddCookie(cookie)
	if got := b.Caller(r); got.Reads {
		t.Errorf("a wrong header beside a right cookie: %+v, want that the header counts", got)
	}
	b.now = b.now.Add(access.SessionTime - time.Second)
	if !b.with(cookie).Orders {
		t.Error("the session is over a second before its time")
	}
	b.now = b.now.Add(time.Second)
	if b.with(cookie).Orders {
		t.Error("the session is not over at its time")
	}
	_, cookie = b.signIn(t, ann)
	w, r := httptest.NewRecorder(), request(http.MethodPost, "/")
	r.AddCookie(cookie)
	b.SignOut(w, r)
	if gone := w.Result().Cookies(); b.with(cookie).Orders || len(gone) != 1 || gone[0].MaxAge >= 0 {
		t.Errorf("after the sign-out: %+v, cookies %v", b.with(cookie), gone)
	}
	secure := setup(t, func(c *access.Config) { c.Secure = true })
	if _, cookie := secure.signIn(t, ann); !cookie.Secure || cookie.Name != "__Host-mirrorfleet" || !secure.with(cookie).Orders {
		t.Errorf("with TLS the cookie is %+v", cookie)
	}
}

// The thousand-and-first session takes the place of the oldest.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, first := b.signIn(t, ann)
	b.now = b.now.Add(time.Second)
	_, second := b.signIn(t, ann)
	for range 999 {
		b.now = b.now.Add(time.Second)
		b.signIn(t, ann)
	}
	if b.with(first).Orders || !b.with(second).Orders {
		t.Errorf("the first session is there: %v, the second: %v; want that the first alone has left", b.with(first).Orders, b.with(second).Orders)
	}
}

// After ten wrong tokens in a minute an address waits for its end, with a right one too.
// Others do not, and the table of addresses is bounded.
func TestWrongTokensAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	try := func(secret, from string) (http.Header, error) {
		r, w := request(http.MethodPost, "/"), httptest.NewRecorder()
		r.RemoteAddr = from + ":1234"
		_, err := b.SignIn(w, r, secret)
		return w.Header(), err
	}
	for i := range 10 {
		if _, err := try("wrong"+strconv.Itoa(i), "192.0.2.7"); !errors.Is(err, access.ErrWrongToken) {
			t.Errorf("wrong token %d: %v", i, err)
		}
	}
	b.now = b.now.Add(20 * time.Second)
	if header, err := try(ann, "192.0.2.7"); !errors.Is(err, access.ErrTooMany) || header.Get("Retry-After") != "40" || header.Get("Set-Cookie") != "" {
		t.Errorf("the eleventh: %v, %v, want that it waits 40 s", err, header)
	}
	if _, err := try(ann, "192.0.2.8"); err != nil {
		t.Errorf("from another address: %v", err)
	}
	b.now = b.now.Add(40 * time.Second)
	if _, err := try(ann, "192.0.2.7"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	for i := range 1010 {
		_, _ = try("wrong", fmt.Sprintf("10.0.%d.%d", i/256, i%256))
	}
	if _, err := try(ann, "192.0.2.9"); !errors.Is(err, access.ErrTooMany) {
		t.Errorf("from an address that finds the table full: %v", err)
	}
	if _, err := try(ann, "10.0.0.1"); err != nil {
		t.Errorf("from an address in the table: %v", err)
	}
}

// Two producers under one host name keep their sessions: a browser gives the cookies of one port
// to all of them, and the name tells whose each is.
func TestSessionsOfTwoPorts(t *testing.T) {
	t.Parallel()
	jar := map[string]string{}
	for _, port := range []string{"8440", "8441"} {
		w := httptest.NewRecorder()
		must.Get(setup(t).SignIn(w, request(http.MethodPost, "http://localhost:"+port+"/"), bob))(t)
		for _, cookie := range w.Result().Cookies() {
			jar[cookie.Name] = cookie.Value
		}
	}
	if len(jar) != 2 {
		t.Errorf("the browser has %d cookies of two producers, want 2", len(jar))
	}
	secure := setup(t, func(c *access.Config) { c.Secure = true })
	for host, want := range map[string]string{
		"localhost:8440": "__Host-mirrorfleet-8440",
		"[::1]:8440":     "__Host-mirrorfleet-8440",
		"fleet.example":  "__Host-mirrorfleet",
		"localhost:8;x":  "__Host-mirrorfleet",
		"localhost:":     "__Host-mirrorfleet",
	} {
		r := request(http.MethodPost, "/")
		r.Host = host
		w := httptest.NewRecorder()
		must.Get(secure.SignIn(w, r, bob))(t)
		if got := w.Result().Cookies()[0].Name; got != want {
			t.Errorf("the cookie of %s is %s, want %s", host, got, want)
		}
	}
}
