package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// errNoPermit says that no permit will come: the limiter is closed, or nobody
// waits any more. There is no point in another try.
var errNoPermit = errors.New("no permit")

// errTimeout is the cause of a try that took too long.
var errTimeout = errors.New("no complete answer in time")

// metered is the RoundTripper that takes a permit for everything that leaves.
type metered struct {
	next  http.RoundTripper
	meter Meter
	// places holds a token for each connection: a request that has its permit
	// must not wait for a connection, or the permit grows old.
	places chan struct{}
	// timeout starts with the permit: the wait for it is not the mirror's.
	timeout    time.Duration
	sent, late atomic.Int64
}

func newMetered(next http.RoundTripper, cfg Config) *metered {
	return &metered{next: next, meter: cfg.Meter, places: make(chan struct{}, cfg.PoolSize), timeout: cfg.Timeout}
}

// RoundTrip takes a place, then a permit, and sends.
func (m *metered) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case m.places <- struct{}{}:
	case <-r.Context().Done():
		return nil, fmt.Errorf("waiting for a connection: %w: %w", errNoPermit, r.Context().Err())
	}
	if err := m.permit(r.Context()); err != nil {
		<-m.places
		return nil, err
	}
	return m.send(r)
}

// permit takes permits until one is still good at the moment of sending.
func (m *metered) permit(ctx context.Context) error {
	for {
		useBy, err := m.meter.Permit(ctx)
		if err != nil {
			return fmt.Errorf("waiting for a permit: %w: %w", errNoPermit, err)
		}
		if !time.Now().After(useBy) {
			return nil
		}
		m.late.Add(1)
	}
}

// send sends and gives the place back when the answer has been read, or there
// is none.
func (m *metered) send(r *http.Request) (*http.Response, error) {
	m.sent.Add(1)
	if n, ok := r.Context().Value(counterKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), m.timeout, errTimeout)
	response, err := m.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		err = because(ctx, err)
		cancel()
		<-m.places
		return nil, err
	}
	response.Body = &placedBody{ReadCloser: response.Body, ctx: ctx, cancel: cancel, places: m.places}
	return response, nil
}

// because names the time-out where the transport knows only a deadline.
func because(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		return fmt.Errorf("%w: %w", errTimeout, err)
	}
	return err
}

// placedBody gives the connection's place back when the body is closed.
type placedBody struct {
	io.ReadCloser
	ctx    context.Context //nolint:containedctx // it is the try's own, and ends with the body
	cancel context.CancelFunc
	places chan struct{}
	closed atomic.Bool
}

func (b *placedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = because(b.ctx, err)
	}
	return n, err //nolint:wrapcheck // io.EOF must stay itself
}

func (b *placedBody) Close() error {
	err := b.ReadCloser.Close()
	if b.closed.CompareAndSwap(false, true) {
		b.cancel()
		<-b.places
	}
	return err //nolint:wrapcheck // the transport's own error
}
