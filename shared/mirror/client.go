package mirror

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Client asks the mirror. It is safe for concurrent use.
type Client struct {
	cfg     Config
	base    *url.URL
	address string // base, for spans
	port    int
	http    *http.Client
	metered *metered
	breaker *breaker
	// background marks a view that leaves the breaker's probes to the others.
	background bool
	// life ends with Close, and everything under way with it.
	life context.Context //nolint:containedctx // the client's own, not a caller's
	end  context.CancelCauseFunc
}

// New makes a client. Its maker closes it.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	base, _ := parseBase(cfg.BaseURL) // validate has read it
	c := &Client{
		cfg:     cfg,
		base:    base,
		address: strings.TrimRight(base.String(), "/"),
		breaker: newBreaker(cfg),
	}
	c.port, _ = strconv.Atoi(base.Port()) // 0 for the scheme's own
	c.life, c.end = context.WithCancelCause(context.Background())
	c.metered = newMetered(c.life, cfg)
	c.http = &http.Client{Transport: c.metered, CheckRedirect: c.redirect}
	return c, nil
}

// Background returns a view of the client for requests that make way for others': with
// another meter, the same breaker, and the client's life. It has connections of its
// own, for a request keeps its connection, and its place, while it waits for its
// permit, and those may be long in coming. Its probes of an open breaker would keep
// the others waiting as well, so it makes one only when nobody else has. Its Stats are
// its own. Closing it closes the client.
func (c *Client) Background(meter Meter) *Client {
	view := *c
	view.cfg.Meter = meter
	view.metered = newMetered(c.life, view.cfg)
	view.metered.cooling = c.metered.cooling
	view.http = &http.Client{Transport: view.metered, CheckRedirect: view.redirect}
	view.background = true
	context.AfterFunc(c.life, view.metered.transport.CloseIdleConnections)
	return &view
}

// transport holds the connections. It uses no proxy: the permits are those of
// the egress that this process has itself.
func transport(cfg Config) *http.Transport {
	// A connection that the mirror does not take up in this time is given up,
	// so that a try's time is not all spent on it.
	const connect = 10 * time.Second
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 15 * time.Second}
	if cfg.Source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.Source, 0))
	}
	return &http.Transport{
		DialContext:         dialer.DialContext,
		ForceAttemptHTTP2:   true,
		MaxConnsPerHost:     cfg.PoolSize,
		MaxIdleConns:        cfg.PoolSize,
		MaxIdleConnsPerHost: cfg.PoolSize,
		IdleConnTimeout:     5 * time.Minute,
		TLSHandshakeTimeout: connect,
	}
}

// Close ends the client: calls under way, and later ones, fail with ErrClosed,
// and the connections are closed. It may be called more than once.
func (c *Client) Close() {
	c.end(ErrClosed)
	c.metered.transport.CloseIdleConnections()
}

// maxRedirects is how many redirects of one request are followed.
const maxRedirects = 3

// redirect follows the mirror's own redirects only: another host has another
// limit, and is none of ours. One that changes the method would ask something
// else, so a POST is only sent on by 307 and 308.
func (c *Client) redirect(next *http.Request, via []*http.Request) error {
	switch first := via[0]; {
	case len(via) > maxRedirects:
		return fmt.Errorf("%d redirects, want at most %d", len(via), maxRedirects)
	case next.URL.Scheme != c.base.Scheme || next.URL.Host != c.base.Host:
		return fmt.Errorf("redirect to %q, want it to stay at %s://%s", next.URL.Scheme+"://"+next.URL.Host, c.base.Scheme, c.base.Host)
	case next.URL.User != nil:
		return errors.New("redirect with credentials, the mirror takes none")
	case next.Method != first.Method:
		return fmt.Errorf("redirect %d turns %s into %s, want 307 or 308", next.Response.StatusCode, first.Method, next.Method)
	}
	return nil
}

// Stats are a client's counts since it was made.
type Stats struct {
	// Permits counts the permits that were used, Late those that were thrown
	// away because they had become too old before they could be.
	Permits, Late int64
	// Sent counts what went out, retries and redirects included.
	Sent int64
	// Resent counts the part of Sent that net/http sent again by itself, such as
	// on a kept-alive connection that the mirror was just closing; each of them
	// had a permit of its own.
	Resent int64
}

// Stats returns the counts.
func (c *Client) Stats() Stats {
	m := c.metered
	return Stats{
		Permits: m.permits.Load(),
		Late:    m.late.Load(),
		Sent:    m.sent.Load(),
		Resent:  m.resent.Load(),
	}
}

type counterKey struct{}

// WithCounter makes every request under ctx, retries and redirects included,
// add one to n: a job's own figure.
func WithCounter(ctx context.Context, n *atomic.Int64) context.Context {
	return context.WithValue(ctx, counterKey{}, n)
}
