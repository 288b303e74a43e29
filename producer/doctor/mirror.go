package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/ratelimit"
)

// Mirror checks the mirror by one request, with a permit of the egress's bucket.
type Mirror struct {
	URL   string
	Redis string
	Files ratelimit.Files // of Redis
	Limit ratelimit.Config
	// Source is this machine's address from which the request leaves; the zero address leaves
	// the choice to the system.
	Source netip.Addr
	// Log hears of cool-downs. Default: slog.Default().
	Log *slog.Logger
	// Now is the instant at which certificates must be valid.
	Now time.Time
	// Clock receives the mirror's clock, and is closed in any case. It needs room for one
	// value, so that this check does not wait for the other. Nil: the clock is not used.
	Clock chan<- Clock
}

// Check sends the one request.
func (m Mirror) Check() Check { return Check{"the mirror", m.look} }

// NotAsked stands for the mirror's check if there is no bucket to take a permit from.
// Without a permit nothing is sent, not even by doctor.
func NotAsked(why string) Check {
	return Check{"the mirror", func(context.Context) []Finding { return []Finding{warn(MirrorNotAsked, "not asked: %s", why)} }}
}

// askFor bounds the request, from the permit to the last byte of the answer.
const askFor = 10 * time.Second

func (m Mirror) look(ctx context.Context) []Finding {
	if m.Clock != nil {
		defer close(m.Clock)
	}
	rdb, err := ratelimit.NewSecureClient(m.Redis, 0, m.Files)
	if err != nil {
		return []Finding{warn(MirrorNotAsked, "not asked: --redis cannot be used")}
	}
	defer func() { _ = rdb.Close() }() // the permit was given or not
	limiter, err := ratelimit.New(m.Limit, rdb)
	if err != nil {
		return []Finding{warn(MirrorNotAsked, "not asked: the limit's parameters are refused")}
	}
	defer func() { _ = limiter.Close() }() // it never fails
	if why := m.standing(ctx); why != "" {
		return []Finding{warn(MirrorNotAsked, "not asked: %s", why)}
	}
	cfg := mirror.Config{
		BaseURL: m.URL,
		Meter:   limiter,
		Source:  m.Source,
		Timeout: askFor,
		Log:     m.Log,
	}
	client, err := mirror.New(cfg) //nolint:contextcheck // its breaker is nobody's request
	if err != nil {
		return []Finding{fault(MirrorUnreachable, "--mirror: %v", err)}
	}
	defer client.Close()
	reached, err := client.Probe(ctx)
	if err != nil && ctx.Err() != nil && limiter.Stats().Granted == 0 {
		return []Finding{warn(MirrorNotAsked, "not asked: no permit (%v)", context.Cause(ctx))}
	}
	if err != nil {
		return []Finding{fault(MirrorUnreachable, "%s: %v", m.URL, err)}
	}
	if m.Clock != nil && !reached.Date.IsZero() {
		clock := ClockOf("the mirror", Reading{Before: reached.Sent, After: reached.Answered, Server: reached.Date}, time.Second)
		clock.Foreign = true
		m.Clock <- clock
	}
	return JudgeMirror(m.URL, reached, m.Now)
}

// standing says why no permit would come in time; "" if one will. It asks first, because a
// reservation that this check does not live to use would be a slot lost to the fleet.
func (m Mirror) standing(ctx context.Context) string {
	rdb, err := ratelimit.NewSecureClient(m.Redis, callTimeout, m.Files) // more patient than a permit's own client
	if err != nil {
		return "--redis cannot be used"
	}
	defer func() { _ = rdb.Close() }() // nothing was written through it
	pace, err := m.Limit.Effective()
	if err != nil {
		return "the limit's parameters are refused"
	}
	state, err := ratelimit.TryGrant(ctx, rdb, m.Limit, callTimeout)
	if err != nil {
		return fmt.Sprintf("there are no permits, because %v", err)
	}
	switch deadline, bounded := ctx.Deadline(); {
	case state.Known && !pace.InForce(state):
		return "the egress uses other parameters, so these flags get no permits"
	case state.Known && bounded && state.NextIn > roomFor(time.Until(deadline)):
		return "the next permit comes in " + state.NextIn.Round(time.Second).String()
	}
	return ""
}

// roomFor is how long the permit may take, so that the request has askFor after it. If
// the time left is short, each gets half of it.
func roomFor(left time.Duration) time.Duration { return max(left-askFor, left/2) }

// When an answer is slow, and when a certificate should have been renewed: automatic
// renewal comes 30 days before the end, so 14 days mean that it has failed.
const (
	slow     = 2 * time.Second
	soonOver = 14 * 24 * time.Hour
)

// JudgeMirror judges the answer to one request.
func JudgeMirror(address string, r mirror.Reached, now time.Time) []Finding {
	latency := r.Latency.Round(time.Millisecond)
	var found []Finding
	switch {
	case r.Status == http.StatusTooManyRequests:
		found = append(found, fault(MirrorOverLimit, "%s answers 429: this IP is over its limit already", address))
	case r.Status != http.StatusOK:
		found = append(found, fault(MirrorStatus, "%s answers %d to /api/v1/health, want 200", address, r.Status))
	case !r.Mirror:
		found = append(found, fault(MirrorStatus, "%s answers 200, but not with a mirror's JSON", address))
	}
	if r.Latency >= slow {
		found = append(found, warn(MirrorSlow, "%s takes %s to answer", address, latency))
	}
	switch left := r.Expires.Sub(now); {
	case r.TLS == "" && !loopback(address):
		found = append(found, warn(MirrorPlain, "%s is not encrypted", address))
	case r.TLS != "" && left < soonOver:
		found = append(found, warn(MirrorCertificate, "the certificate of %s expires in %s", address, inDays(left)))
	}
	secured := r.TLS
	if secured == "" {
		secured = "not encrypted, on this machine"
	}
	return unless(found, "%s answers 200 after %s, %s, %s", address, latency, r.Protocol, secured)
}

func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
