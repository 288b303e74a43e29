package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/doing"
)

// errNoPermit says that no permit will come: the limiter is closed, or the
// caller has given up. Another try would be pointless.
var errNoPermit = errors.New("no permit")

// errTimeout is the cause of a try that took too long. It matches no context's
// error, for nobody's context ended.
var errTimeout = errors.New("no complete answer in time")

// metered is the RoundTripper that takes a permit for everything that leaves.
type metered struct {
	cfg       Config
	transport *http.Transport
	// life is the client's own.
	life context.Context //nolint:containedctx // not a caller's
	// places holds a token for each connection in use, so that there are never
	// more than the pool's size.
	places chan struct{}

	cooling *cooling

	permits, late, sent, resent atomic.Int64
}

func newMetered(life context.Context, cfg Config) *metered {
	return &metered{
		cfg:       cfg,
		transport: transport(cfg),
		life:      life,
		places:    make(chan struct{}, cfg.PoolSize),
		cooling:   &cooling{},
	}
}

// RoundTrip takes a place and sends. The place is given back when there is no
// answer, or when the answer's body is closed.
func (m *metered) RoundTrip(r *http.Request) (_ *http.Response, err error) {
	ctx := r.Context()
	if err := m.place(ctx); err != nil {
		return nil, err
	}
	answered := false
	defer func() { // deferred, because a Meter may panic
		if !answered {
			m.release()
		}
	}()
	response, err := m.roundTrip(r)
	answered = err == nil
	return response, err
}

// place takes a place.
func (m *metered) place(ctx context.Context) error {
	select {
	case m.places <- struct{}{}:
		return nil
	default:
	}
	defer doing.Wait(ctx, func(time.Time) doing.State { return doing.State{Waits: doing.Connection} })()
	select {
	case m.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for a connection: %w", ctx.Err())
	}
}

// release gives a place back. A connection that became idle after Close is
// closed too.
func (m *metered) release() {
	<-m.places
	if m.life.Err() != nil {
		m.transport.CloseIdleConnections()
	}
}

// roundTrip sends. Each time that net/http has a connection for the request, and is
// about to write to it, the request takes a permit.
func (m *metered) roundTrip(r *http.Request) (*http.Response, error) {
	s := newSending(m, r)
	response, err := m.transport.RoundTrip(r.WithContext(s.traced())) //nolint:contextcheck // it is of the request's own
	if err != nil {
		err = s.failure(err)
		s.finish()
		s.measured.done(0, err)
		return nil, err
	}
	m.heed(r.Context(), response)
	body := &placedBody{ReadCloser: response.Body, ctx: s.ctx}
	body.release = sync.OnceFunc(func() {
		s.finish()
		m.release()
		s.measured.request.Bytes = body.read
		s.measured.done(response.StatusCode, nil)
	})
	response.Body = body
	return response, nil
}

// permit takes permits until one is still good at the moment of sending.
func (m *metered) permit(ctx context.Context) error {
	for {
		useBy, err := m.cfg.Meter.Permit(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", errNoPermit, err)
		}
		if err := ctx.Err(); err != nil { // a Meter that does not look
			return fmt.Errorf("%w: %w", errNoPermit, err)
		}
		if !time.Now().After(useBy) {
			m.permits.Add(1)
			return nil
		}
		m.late.Add(1)
	}
}

// heed cools the egress down when an answer, a redirect's included, asks for
// it. It is for the whole fleet: what one process was told holds for its IP,
// and also when the job that it was told by is given up. What was under way
// already may be told the same; that is logged once.
func (m *metered) heed(ctx context.Context, response *http.Response) {
	now := time.Now()
	wait, asked := retryAfter(response.Header, now)
	if !asked {
		if response.StatusCode != http.StatusTooManyRequests {
			return
		}
		wait = m.cfg.Throttled
	}
	level := slog.LevelDebug
	if m.cooling.extend(now, now.Add(wait)) {
		level = slog.LevelWarn
	}
	m.cfg.Log.Log(ctx, level, "the mirror asks for a pause: the egress cools down",
		"for", wait, "status", response.StatusCode,
		"retry_after", clip(response.Header.Get("Retry-After")), "cf_ray", clip(response.Header.Get("Cf-Ray")))
	if err := m.cfg.Meter.CoolDown(context.WithoutCancel(ctx), wait); err != nil {
		m.cfg.Log.ErrorContext(ctx, "the cool-down could not be written", "error", err)
	}
}

// clip keeps what the mirror sent short enough for a log.
func clip(text string) string { return bounded.Line(text, 100) }

// cooling is until when this process has been told to cool down.
type cooling struct {
	mu    sync.Mutex
	until time.Time
}

// extend tells whether no cool-down was running.
func (c *cooling) extend(now, until time.Time) (began bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began = !now.Before(c.until)
	if until.After(c.until) {
		c.until = until
	}
	return began
}
