package miners

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"mirrorfleet/shared/pause"
)

// DefaultGitHub is GitHub's API.
const DefaultGitHub = "https://api.github.com"

// Config is how GitHub is asked.
type Config struct {
	// BaseURL of the API. Default: DefaultGitHub.
	BaseURL string
	// Rate is how many requests a second are sent. Default: 8, a little more
	// than half of the 900 a minute that GitHub lets one sender make.
	Rate float64
	// Concurrency is how many are under way at once. Default: 8; GitHub lets
	// one sender have 100.
	Concurrency int
	// Timeout is how long one answer may take. Default: 15 s, the validator's.
	Timeout time.Duration
	// Tries is how often one token is asked about. Default: 3.
	Tries int
	// Backoff is the wait between two tries. Default: 2 s, the validator's.
	Backoff time.Duration
	// Patience is how long all look-ups of a round may take together.
	// Tokens without an answer by then count as unreachable. Default: 5 min.
	Patience time.Duration
	// Log default: slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.BaseURL = cmp.Or(c.BaseURL, DefaultGitHub)
	c.Rate = cmp.Or(c.Rate, 8)
	c.Concurrency = cmp.Or(c.Concurrency, 8)
	c.Tries = cmp.Or(c.Tries, 3)
	c.Timeout = cmp.Or(c.Timeout, 15*time.Second)
	c.Backoff = cmp.Or(c.Backoff, 2*time.Second)
	c.Patience = cmp.Or(c.Patience, 5*time.Minute)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

// base checks BaseURL and returns it parsed. Its errors do not repeat it, because a
// password may be in it.
func (c Config) base() (*url.URL, error) {
	base, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("want a URL such as " + DefaultGitHub)
	case base.User != nil:
		return nil, errors.New("leave out the credentials: each look-up has its own token")
	case base.Scheme == "http" && !loopback(base.Hostname()):
		return nil, errors.New("want https: the tokens would go out in clear")
	}
	return base, nil
}

// longestPause bounds how long the answers to one Ask can make everybody wait,
// all together: the owners of tokens must not be able to hold up a round.
const longestPause = time.Minute

// longestAnswer caps an answer while it is read; a user has some 2 kB.
const longestAnswer = 256 << 10

// GitHub asks whose account tokens are.
type GitHub struct {
	cfg    Config
	user   string // URL
	client *http.Client
	pace   *rate.Limiter

	mu    sync.Mutex
	until time.Time     // nothing is sent before
	spare time.Duration // how much longer everybody can be made to wait
}

// NewGitHub returns a client; Close ends it.
func NewGitHub(cfg Config) (*GitHub, error) {
	cfg = cfg.withDefaults()
	base, err := cfg.base()
	if err != nil {
		return nil, err
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		transport = &http.Transport{}
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = cfg.Concurrency
	return &GitHub{
		cfg:  cfg,
		user: base.JoinPath("user").String(),
		pace: rate.NewLimiter(rate.Limit(cfg.Rate), 1),
		client: &http.Client{
			Transport: transport, Timeout: cfg.Timeout,
			// A token is for the host that it is meant for.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Close lets go of the connections.
func (g *GitHub) Close() { g.client.CloseIdleConnections() }

// Ask looks all of them up, several at a time, within the time that there is.
// Each has its identity; the error is ctx's alone.
func (g *GitHub) Ask(ctx context.Context, asks []LookUp) (map[int]Identity, error) {
	bounded, cancel := context.WithTimeout(ctx, g.cfg.Patience)
	defer cancel()
	g.mu.Lock()
	g.spare = longestPause
	g.mu.Unlock()
	found := make([]Identity, len(asks))
	var group errgroup.Group
	group.SetLimit(g.cfg.Concurrency)
	for i, ask := range asks {
		group.Go(func() error {
			found[i] = g.identity(bounded, ask)
			return nil
		})
	}
	_ = group.Wait() // none returns an error
	if ctx.Err() != nil {
		return nil, fmt.Errorf("looking up the tokens' GitHub accounts: %w", context.Cause(ctx))
	}
	identities := make(map[int]Identity, len(asks))
	for i, ask := range asks {
		identities[ask.UID] = found[i]
	}
	return identities, nil
}

// identity asks about one token until there is an answer that says something.
func (g *GitHub) identity(ctx context.Context, ask LookUp) Identity {
	why := "the time for all look-ups is over"
	for try := 1; ; try++ {
		if !g.wait(ctx) {
			break
		}
		v := g.once(ctx, ask.Token)
		held := g.hold(v.pause)
		if v.identity.State != Unreachable {
			return v.identity
		}
		why = v.why
		if !v.again || try >= g.cfg.Tries || v.pause > held+g.cfg.Backoff || pause.For(ctx, g.cfg.Backoff) != nil {
			break
		}
	}
	g.cfg.Log.DebugContext(ctx, "GitHub did not name the account of a token", "uid", ask.UID, "why", why)
	return Identity{}
}

// once is one request. Its error may name the address, never the token.
func (g *GitHub) once(ctx context.Context, token Secret) verdict {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.user, nil)
	if err != nil {
		return verdict{why: "the request cannot be made"}
	}
	request.Header.Set("Authorization", "token "+token.Reveal())
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("User-Agent", "mirrorfleet")
	response, err := g.client.Do(request)
	if err != nil {
		return verdict{again: true, why: "no answer"}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer+1))
	if err != nil || len(body) > longestAnswer {
		return verdict{again: true, why: "an answer that breaks off or does not end"}
	}
	return judge(response.StatusCode, response.Header, body)
}

// wait waits for the turn of a request; false when there is no time for it.
func (g *GitHub) wait(ctx context.Context) bool {
	for {
		g.mu.Lock()
		left := time.Until(g.until)
		g.mu.Unlock()
		if left <= 0 {
			return g.pace.Wait(ctx) == nil
		}
		if pause.For(ctx, left) != nil {
			return false
		}
	}
}

// hold makes everybody wait, as long as there is something to spare, and tells
// how long that is.
func (g *GitHub) hold(d time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.until.Before(now) {
		g.until = now
	}
	if longer := min(now.Add(d).Sub(g.until), g.spare); longer > 0 {
		g.until = g.until.Add(longer)
		g.spare -= longer
	}
	return g.until.Sub(now)
}
