package mirror

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Client asks the mirror. It is safe for concurrent use.
type Client struct {
	cfg       Config
	base      *url.URL
	http      *http.Client
	transport *http.Transport
	metered   *metered
	breaker   *breaker
	closed    atomic.Bool
}

// New makes a client. Whoever makes it closes it.
func New(cfg Config) (*Client, error) {
	cfg, base, err := cfg.filled()
	if err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	c := &Client{cfg: cfg, base: base}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	c.transport = &http.Transport{
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		MaxConnsPerHost:       cfg.PoolSize,
		MaxIdleConns:          cfg.PoolSize,
		MaxIdleConnsPerHost:   cfg.PoolSize,
		IdleConnTimeout:       5 * time.Minute,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: cfg.Timeout,
	}
	c.metered = newMetered(c.transport, cfg)
	c.http = &http.Client{Transport: c.metered, CheckRedirect: c.redirect}
	c.breaker = newBreaker(cfg)
	return c, nil
}

// Close ends the client's connections; it may be called twice. Requests under
// way end by their contexts.
func (c *Client) Close() {
	if c.closed.CompareAndSwap(false, true) {
		c.transport.CloseIdleConnections()
	}
}

// maxRedirects is how many redirects of one request are followed.
const maxRedirects = 3

// redirect follows the mirror's own redirects only: another host has another
// limit, and is none of ours.
func (c *Client) redirect(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%d redirects, want at most %d", len(via), maxRedirects)
	}
	if next.URL.Host != c.base.Host {
		return fmt.Errorf("redirect to another host, %s", next.URL.Host)
	}
	return nil
}

// Stats are a client's counts since it was made.
type Stats struct {
	// Sent counts requests, retries and redirects included.
	Sent int64
	// Late counts permits that were thrown away because they were too old.
	Late int64
}

// Stats returns the counts.
func (c *Client) Stats() Stats {
	return Stats{Sent: c.metered.sent.Load(), Late: c.metered.late.Load()}
}

type counterKey struct{}

// WithCounter makes every request under ctx, retries and redirects included,
// add one to n: a job's own figure.
func WithCounter(ctx context.Context, n *atomic.Int64) context.Context {
	return context.WithValue(ctx, counterKey{}, n)
}
