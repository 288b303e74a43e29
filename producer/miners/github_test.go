package miners_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mirrorfleet/producer/miners"
)

// github is a stand-in on loopback: each token has its answers, one after the
// other, the last one for ever.
type github struct {
	*httptest.Server

	mu      sync.Mutex
	answers map[string][]answer
	asked   map[string][]time.Time
	busy    atomic.Int64
	highest atomic.Int64
	wrong   []string
}

type answer struct {
	status int
	header map[string]string
	body   string
	hang   bool
}

func ok(id string) answer {
	return answer{status: 200, body: fmt.Sprintf(`{"login": "m", "id": %s}`, id)}
}

func newGitHub(t *testing.T) *github {
	t.Helper()
	g := &github{answers: map[string][]answer{}, asked: map[string][]time.Time{}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *github) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.highest.Store(max(g.highest.Load(), g.busy.Add(1)))
	defer g.busy.Add(-1)
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "token ")
	g.mu.Lock()
	if r.Method != http.MethodGet || r.URL.String() != "/user" || r.Header.Get("User-Agent") == "" {
		g.wrong = append(g.wrong, r.Method+" "+r.URL.String())
	}
	g.asked[token] = append(g.asked[token], time.Now())
	list := g.answers[token]
	a := answer{status: 401, body: `{"message": "Bad credentials, you sent ` + token + `"}`}
	if len(list) > 0 {
		a = list[0]
		if len(list) > 1 {
			g.answers[token] = list[1:]
		}
	}
	g.mu.Unlock()
	if a.hang {
		<-r.Context().Done()
		return
	}
	for key, value := range a.header {
		w.Header().Set(key, value)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.body))
}

func (g *github) times(token string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked[token])
}

func (g *github) client(t *testing.T, change func(*miners.Config)) *miners.GitHub {
	t.Helper()
	cfg := miners.Config{BaseURL: g.URL, Rate: 10_000, Backoff: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	client, err := miners.NewGitHub(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func ask(uid int, token string) miners.LookUp {
	return miners.LookUp{UID: uid, Hotkey: fmt.Sprint("h", uid), Token: miners.NewSecret(token)}
}

// What each kind of answer means, and how often GitHub is asked about it: as the
// validator has it, which asks more often.
func TestWhatGitHubSays(t *testing.T) {
	t.Parallel()
	g := newGitHub(t)
	known := miners.Identity{State: miners.Known, GitHubID: "77"}
	refused := miners.Identity{State: miners.Refused}
	unreachable := miners.Identity{}
	limit := func(status int, header map[string]string, message string) answer {
		return answer{status: status, header: header, body: fmt.Sprintf(`{"message": %q}`, message)}
	}
	cases := []struct {
		name    string
		answers []answer
		want    miners.Identity
		asked   int
	}{
		{"an id", []answer{ok("77")}, known, 1},
		{"an id as a text", []answer{ok(`"77"`)}, known, 1},
		{"no id, then one", []answer{ok("null"), ok("77")}, known, 2},
		{"an id that is none", []answer{ok(`"` + planted + `"`)}, unreachable, 3},
		{"no JSON", []answer{{status: 200, body: "<html>"}}, unreachable, 3},
		{"an answer that does not end", []answer{{status: 200, body: `{"id": 77, "x": "` + strings.Repeat("x", 300<<10) + `"}`}}, unreachable, 3},
		{"unauthorized", []answer{{status: 401}}, refused, 1},
		{"forbidden", []answer{limit(403, nil, "Resource not accessible")}, refused, 1},
		{"not found", []answer{{status: 404}}, refused, 1},
		{"forbidden with permits left", []answer{limit(403, map[string]string{"X-Ratelimit-Remaining": "12"}, "no")}, refused, 1},
		{"the token's own limit is used up", []answer{limit(403, map[string]string{"X-Ratelimit-Remaining": "0"}, "API rate limit exceeded")}, unreachable, 1},
		{"a limit by its message", []answer{limit(403, nil, "You have exceeded a secondary Rate Limit")}, unreachable, 3},
		{"a limit by a text", []answer{{status: 403, body: "rate limit"}}, unreachable, 3},
		{"too many requests", []answer{{status: 429}}, unreachable, 3},
		{"too many requests, with a pause that is over", []answer{limit(429, map[string]string{"Retry-After": "0"}, ""), ok("77")}, known, 2},
		{"a time-out of GitHub's", []answer{{status: 408}, ok("77")}, known, 2},
		{"server errors", []answer{{status: 500}, {status: 502}, {status: 503}}, unreachable, 3},
		{"a server error that passes", []answer{{status: 500}, {status: 502}, ok("77")}, known, 3},
		{"elsewhere", []answer{{status: 302, header: map[string]string{"Location": "http://127.0.0.1:1/user"}}}, unreachable, 3},
	}
	var asks []miners.LookUp
	for i, c := range cases {
		g.answers[c.name] = c.answers
		asks = append(asks, ask(i+1, c.name))
	}
	got, err := g.client(t, nil).Ask(t.Context(), asks)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if got[i+1] != c.want || g.times(c.name) != c.asked {
			t.Errorf("%s: got %+v after %d requests, want %+v after %d", c.name, got[i+1], g.times(c.name), c.want, c.asked)
		}
	}
	if len(g.wrong) > 0 {
		t.Errorf("it was asked for %q", g.wrong)
	}
}

// A GitHub that is not there, or does not answer, says nothing of any token, and
// takes no longer than there is time.
func TestGitHubIsAway(t *testing.T) {
	t.Parallel()
	g := newGitHub(t)
	g.answers["hangs"] = []answer{{hang: true}}
	client := g.client(t, func(c *miners.Config) { c.Timeout = 500 * time.Millisecond })
	got, err := client.Ask(t.Context(), []miners.LookUp{ask(1, "hangs")})
	if err != nil || got[1] != (miners.Identity{}) || g.times("hangs") != 3 {
		t.Errorf("it hangs: got %v, %v after %d requests; want nothing known after 3", got, err, g.times("hangs"))
	}
	patient := g.client(t, func(c *miners.Config) { c.Patience = 20 * time.Millisecond })
	if got, err := patient.Ask(t.Context(), []miners.LookUp{ask(1, "hangs"), ask(2, "hangs")}); err != nil || len(got) != 2 || got[2] != (miners.Identity{}) {
		t.Errorf("there is no time: got %v, %v; want two of which nothing is known", got, err)
	}
	g.Close()
	if got, err := client.Ask(t.Context(), []miners.LookUp{ask(1, "x")}); err != nil || got[1] != (miners.Identity{}) {
		t.Errorf("nobody listens: got %v, %v; want nothing known", got, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	cancel(stop)
	if _, err := client.Ask(ctx, []miners.LookUp{ask(1, "x")}); !errors.Is(err, stop) {
		t.Errorf("stopped: got %v, want why", err)
	}
}

// A Retry-After is obeyed by who was told so, and by everybody who has not sent
// yet; but a long one is nobody's wait: whoever was told so has no answer.
func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	g := newGitHub(t)
	pause := answer{status: 429, header: map[string]string{"Retry-After": "1"}}
	g.answers["told"] = []answer{pause, ok("1")}
	g.answers["gives up"] = []answer{pause}
	g.answers["other"] = []answer{ok("2")}
	got, err := g.client(t, nil).Ask(t.Context(), []miners.LookUp{ask(1, "told")})
	if err != nil || got[1].GitHubID != "1" {
		t.Fatalf("got %v, %v; want it known", got, err)
	}
	if told := g.asked["told"]; told[1].Sub(told[0]) < time.Second {
		t.Errorf("the one who was told came back after %s, want a second at least", told[1].Sub(told[0]))
	}
	one := g.client(t, func(c *miners.Config) { c.Concurrency, c.Tries = 1, 1 })
	if got, err = one.Ask(t.Context(), []miners.LookUp{ask(1, "gives up"), ask(2, "other")}); err != nil || got[2].GitHubID != "2" {
		t.Fatalf("got %v, %v; want the other known", got, err)
	}
	if wait := g.asked["other"][0].Sub(g.asked["gives up"][0]); wait < time.Second {
		t.Errorf("another was sent %s after the answer, want a second at least", wait)
	}
	g.answers["long"] = []answer{{status: 403, header: map[string]string{"Retry-After": "3600"}, body: "rate limit"}}
	got, err = g.client(t, func(c *miners.Config) { c.Patience = 100 * time.Millisecond }).Ask(t.Context(), []miners.LookUp{ask(3, "long")})
	if err != nil || got[3] != (miners.Identity{}) || g.times("long") != 1 {
		t.Errorf("told to wait an hour: got %v, %v after %d requests; want nothing known after one", got, err, g.times("long"))
	}
}

// Tokens that are told to wait, again and again, hold up everybody else for a
// minute at most in one round; the next round has a minute of its own.
func TestTokensHoldUpNobodyForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, err := miners.NewGitHub(miners.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for round := range 2 {
			if _, err := client.Ask(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct{ asked, want time.Duration }{
				{40 * time.Second, 40 * time.Second}, {time.Minute, 20 * time.Second}, {time.Minute, 0},
			} {
				if got := miners.Hold(client, c.asked); got != c.want {
					t.Errorf("round %d: asked to wait %s, everybody waits %s, want %s", round, c.asked, got, c.want)
				}
				<-time.After(c.want)
			}
		}
	})
}

// The pace and the number of requests at once are its own.
func TestThePaceTowardsGitHub(t *testing.T) {
	t.Parallel()
	g := newGitHub(t)
	var asks []miners.LookUp
	for uid := range 21 {
		token := fmt.Sprint("t", uid)
		g.answers[token] = []answer{ok("7")}
		asks = append(asks, ask(uid, token))
	}
	began := time.Now()
	if _, err := g.client(t, func(c *miners.Config) { c.Rate, c.Concurrency = 100, 3 }).Ask(t.Context(), asks); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); len(g.asked) != 21 || took < 200*time.Millisecond { // the first needs no wait
		t.Errorf("%d requests within %s, want 21 in 200 ms at least", len(g.asked), took)
	}
	if highest := g.highest.Load(); highest > 3 {
		t.Errorf("%d were under way at once, want 3 at most", highest)
	}
}

func TestGitHubsAddress(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"x", "ftp://x", "http://", "https://" + planted + "@api.github.com", "http://[::1", "http://api.github.com"} {
		client, err := miners.NewGitHub(miners.Config{BaseURL: wrong, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			client.Close()
			t.Errorf("%q: want an error", wrong)
			continue
		}
		silent(t, err.Error())
	}
}
