package whoami_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/whoami"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asked is what a service's answer makes of a question. The service listens on IPv4 alone, as
// on a machine that has no IPv6.
func asked(t *testing.T, answer http.HandlerFunc) ([]netip.Addr, error) {
	t.Helper()
	service := httptest.NewServer(answer)
	defer service.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return must.Get(whoami.New(service.URL, netip.Addr{}))(t).Ask(ctx)
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// A family that the machine does not have is no failure while the other one answers.
func TestAskReadsAnAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		//nolint:gocritic // a space at the start is what the case is about
		"203.0.113.7": "203.0.113.7", " 203.0.113.7\r\n": "203.0.113.7", "2001:db8::7\n": "2001:db8::7", "::ffff:203.0.113.7": "203.0.113.7",
	} {
		got, err := asked(t, says(text))
		if err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%q: got %v, %v; want %s", text, got, err, want)
		}
	}
}

// The question leaves from the address from which requests to the mirror leave. Linux has all
// of 127.0.0.0/8.
func TestAskLeavesFromTheChosenAddress(t *testing.T) {
	t.Parallel()
	from := make(chan string, 1)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from <- r.RemoteAddr
		_, _ = io.WriteString(w, "192.0.2.1")
	}))
	defer service.Close()
	must.Get(must.Get(whoami.New(service.URL, netip.MustParseAddr("127.0.0.2")))(t).Ask(t.Context()))(t)
	if got := <-from; !strings.HasPrefix(got, "127.0.0.2:") {
		t.Errorf("the service sees %s, want 127.0.0.2", got)
	}
}

// What a service answers beside one public address is refused with its reason, and what the
// reason quotes is short and steers no terminal.
func TestHostileAnswersAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"nothing":            {says(""), "no IP address"},
		"a page":             {says("<html>\x1b[2J" + strings.Repeat("x", 100)), "no IP address"},
		"two addresses":      {says("203.0.113.7 203.0.113.8"), "no IP address"},
		"leading zeros":      {says("203.0.113.007"), "no IP address"},
		"a port":             {says("203.0.113.7:80"), "no IP address"},
		"more than is read":  {says("203.0.113.7\n" + strings.Repeat(" ", 1<<20)), "more than 128 bytes"},
		"a private address":  {says("10.0.0.7"), "no public address"},
		"a loopback address": {says("::1"), "no public address"},
		"a zone":             {says("fe80::1%\x1b[2J"), "no public address"},
		"a zone of a public": {says("2001:db8::1%eth0"), "no public address"},
		"a failure":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, "status 418"},
		"a broken header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/\x1b[2J"+strings.Repeat("x", 1000))
			w.WriteHeader(http.StatusFound)
		}, "malformed"},
		"another URL": {http.RedirectHandler("http://192.0.2.1/"+strings.Repeat("x", 1000), http.StatusFound).ServeHTTP, "names another URL"},
		"less than announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "50")
			fmt.Fprint(w, "203.0.113.7")
		}, "breaks off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := asked(t, c.answer)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, %v; want it refused with %q", got, err, c.want)
			}
			if text := err.Error(); len(text) > 600 || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
				t.Errorf("%d bytes, %.200q: want it short and clean", len(text), text)
			}
		})
	}
}

// A path may hold a token. Errors show the host, and nothing of the path, whatever the service does
// with it.
func TestThePathIsNotShown(t *testing.T) {
	t.Parallel()
	const path = "/v1/hush-hush-hush/ip"
	for name, answer := range map[string]http.HandlerFunc{
		"a failure":        http.NotFound,
		"the path again":   func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) },
		"another path":     http.RedirectHandler("https://192.0.2.1/v2/hush-hush-hush", http.StatusFound).ServeHTTP,
		"a longer one":     http.RedirectHandler(path+"/x", http.StatusFound).ServeHTTP,
		"nothing":          func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a private answer": says("10.0.0.7"),
	} {
		service := httptest.NewServer(answer)
		_, err := must.Get(whoami.New(service.URL+path, netip.Addr{}))(t).Ask(t.Context())
		service.Close()
		if err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "over tcp4") {
			t.Errorf("%s: %v, want an error without the path", name, err)
		}
	}
	if _, err := whoami.New("a.example"+path, netip.Addr{}); err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "a.example") {
		t.Errorf("without a scheme: %v, want the host alone", err)
	}
}

// A service that never answers costs its time-out and no more: the caller's context ends it too.
func TestAskEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }))
	defer service.Close()
	if got, err := must.Get(whoami.New(service.URL, netip.Addr{}))(t).Ask(ctx); err == nil {
		t.Errorf("got %v, want the end of the context", got)
	}
}

func TestNewChecksTheURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"api.example": "https://", "ftp://a.example": "https://", "https://": "https://", "http://\x1b": "https://",
		"https://me:hush@a.example/": "password", "ftp://me:hush@a.example": "password", "https://me:hu%zzhush@a.example": "password",
		"me:hush@a.example": "password", "https://hush@a.example": "password", "https://a.example/?token=hush": "query",
		"https://a.example?hush": "query", "https://a.example/#hush": "query", "https://me:hu/hush@a.example": "password",
	} {
		_, err := whoami.New(text, netip.Addr{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: got %v, want it refused with %q and without the password", text, err, want)
		}
	}
}

// Names and addresses are compared so that IPv4 and IPv6 of one machine are no contradiction.
func TestCompare(t *testing.T) {
	t.Parallel()
	p := func(egress string, addresses ...string) (p whoami.Process) {
		p.Egress = egress
		for _, a := range addresses {
			p.Addresses = append(p.Addresses, netip.MustParseAddr(a))
		}
		return p
	}
	shared := func(address string, egresses ...string) []whoami.Shared {
		return []whoami.Shared{{Address: netip.MustParsePrefix(address), Egresses: egresses}}
	}
	for name, c := range map[string]struct {
		of   []whoami.Process
		want whoami.Comparison
	}{
		"nobody has told":               {},
		"one address each":              {of: []whoami.Process{p("a", "192.0.2.1"), p("a", "192.0.2.1"), p("b", "192.0.2.2")}},
		"both families of one machine":  {of: []whoami.Process{p("a", "192.0.2.1"), p("a", "2001:db8:1::1")}},
		"IPv6 of each behind one IPv4":  {of: []whoami.Process{p("a", "192.0.2.1", "2001:db8:1::1"), p("a", "192.0.2.1", "2001:db8:2::1")}},
		"changing addresses in one /64": {of: []whoami.Process{p("a", "2001:db8:1::1"), p("a", "2001:db8:1::abcd")}},
		"two names at one address": {
			of:   []whoami.Process{p("b", "192.0.2.1"), p("a", "192.0.2.1")},
			want: whoami.Comparison{Shared: shared("192.0.2.1/32", "a", "b")},
		},
		"two names behind one IPv4 with IPv6 of their own": {
			of:   []whoami.Process{p("a", "192.0.2.1", "2001:db8:1::1"), p("b", "192.0.2.1", "2001:db8:2::1")},
			want: whoami.Comparison{Shared: shared("192.0.2.1/32", "a", "b")},
		},
		"two names in one /64": {
			of:   []whoami.Process{p("a", "2001:db8:1::1"), p("b", "2001:db8:1::2")},
			want: whoami.Comparison{Shared: shared("2001:db8:1::/64", "a", "b")},
		},
		"one name at two addresses": {
			of:   []whoami.Process{p("a", "192.0.2.1"), p("a", "192.0.2.2"), p("b", "192.0.2.3")},
			want: whoami.Comparison{Split: []string{"a"}},
		},
		"one name in two networks of IPv6": {
			of:   []whoami.Process{p("a", "2001:db8:1::1"), p("a", "2001:db8:2::1")},
			want: whoami.Comparison{Split: []string{"a"}},
		},
	} {
		if diff := cmp.Diff(c.want, whoami.Compare(c.of), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
