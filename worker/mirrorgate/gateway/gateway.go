package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/telemetry"
)

// Gateway passes requests on to the mirror. It is an http.Handler, and safe for concurrent
// use.
type Gateway struct {
	cfg    Config
	target *url.URL
	proxy  *httputil.ReverseProxy
	routes *http.ServeMux
	// waiting holds one token for each request that waits for its first permit.
	waiting chan struct{}
}

// New makes a gateway.
func New(cfg Config) (*Gateway, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g := &Gateway{cfg: cfg, routes: routes(), waiting: make(chan struct{}, cfg.Waiting)}
	g.target, _ = url.Parse(cfg.Mirror) // validate has read it
	g.proxy = &httputil.ReverseProxy{
		Rewrite:        g.rewrite,
		Transport:      roundTripper(g.forward),
		FlushInterval:  -1, // flush every read at once: a client's time-out counts between two reads
		ModifyResponse: g.checked,
		ErrorHandler:   g.failed,
		ErrorLog:       slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug), // clients that go, answers that break off
	}
	return g, nil
}

// ServeHTTP passes a request on when its turn comes, or refuses it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, refused := g.admit(r)
	if refused == nil {
		refused = g.hold(w, r)
	}
	if refused != nil {
		refused.write(w)
		return
	}
	began := time.Now()
	select {
	case g.waiting <- struct{}{}:
	default:
		telemetry.GatewayWaited(r.Context(), route, telemetry.WaitTurnedAway, 0)
		refuse(http.StatusServiceUnavailable, "too many clients wait for a permit").write(w)
		return
	}
	p := g.pass(r.Context(), route, began)
	defer p.ended(telemetry.WaitFailed) // deferred, because the proxy panics when an answer breaks off
	client := newReader(w, g.cfg.Patience)
	defer client.end(g.cfg.Log, r)
	g.proxy.ServeHTTP(client, r.WithContext(context.WithValue(r.Context(), passKey{}, p)))
}

// hold reads a request's body into memory, for two reasons: a retry sends it again, and
// net/http notices that a client has gone only after the body has been read.
func (g *Gateway) hold(w http.ResponseWriter, r *http.Request) *problem {
	if r.ContentLength == 0 {
		return nil
	}
	tooLarge := refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the request's body is larger than %d bytes", g.cfg.MaxRequest))
	if r.ContentLength > g.cfg.MaxRequest {
		return tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.cfg.MaxRequest))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return tooLarge
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "the request's body broke off")
	}
	again := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = again()
	r.GetBody = again
	r.ContentLength = int64(len(body))
	r.TransferEncoding = nil
	r.Trailer = nil
	return nil
}

// rewrite addresses a request to the mirror. The proxy has already removed the headers that
// belong to the client's connection.
func (g *Gateway) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(g.target)
	r.Out.Header.Del("Expect") // its body is here already
}

// pass is one request's way to its first permit.
type pass struct {
	route string
	// ended records how the wait has ended. Only its first call counts.
	ended func(outcome string)
}

type passKey struct{}

// pass begins the wait of a request, which already has its place among the waiting ones.
func (g *Gateway) pass(ctx context.Context, route string, began time.Time) *pass {
	telemetry.GatewayWaits(ctx, 1)
	var once sync.Once
	return &pass{route, func(outcome string) {
		once.Do(func() {
			<-g.waiting
			telemetry.GatewayWaits(ctx, -1)
			waited := time.Since(began)
			telemetry.GatewayWaited(ctx, route, outcome, waited)
			g.cfg.Log.DebugContext(ctx, "a client has waited", "route", route, "for", waited, "outcome", outcome)
		})
	}}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// forward is the proxy's transport.
func (g *Gateway) forward(r *http.Request) (*http.Response, error) {
	p, _ := r.Context().Value(passKey{}).(*pass)
	response, err := g.cfg.Client.Forward(r, mirror.Forwarding{
		Route: p.route, Wait: g.cfg.Wait, Permitted: func() { p.ended(telemetry.WaitPermitted) },
	})
	if err != nil {
		p.ended(outcomeOf(r.Context(), err))
	}
	return response, err
}

// checked bounds an answer by MaxAnswer. It also removes headers that would lead a client
// past the gateway.
func (g *Gateway) checked(r *http.Response) error {
	r.Header.Del("Alt-Svc")
	if r.ContentLength > g.cfg.MaxAnswer && r.Request.Method != http.MethodHead {
		return errAnswerTooLarge
	}
	r.Body = &capped{r.Body, g.cfg.MaxAnswer}
	return nil
}

// capped is a body that fails when it exceeds its bound.
type capped struct {
	io.ReadCloser

	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, errAnswerTooLarge
	}
	return n, err //nolint:wrapcheck // io.EOF among them
}
