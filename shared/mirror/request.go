package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/telemetry"
)

// request is one question to the mirror.
type request struct {
	method string
	// route is the path without its ids: for spans and errors.
	route string
	path  string
	query url.Values
	body  []byte
	most  int64 // bytes of the answer
	// decode reads the answer; its error makes the answer worth another try.
	decode func(body []byte) error
}

// ask asks until there is an answer, a final one, or no try is left.
func (c *Client) ask(ctx context.Context, r request) (err error) {
	ctx, span := otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanMirror+" "+r.method+" "+r.route,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("http.request.method", r.method), attribute.String("url.template", r.route)))
	defer func() { endSpan(ctx, span, err) }()
	return c.guarded(ctx, func() error { return c.tries(ctx, r) })
}

func endSpan(ctx context.Context, span trace.Span, err error) {
	var failed *RequestError
	if errors.As(err, &failed) {
		span.SetAttributes(attribute.Int("http.request.resend_count", failed.Tries-1))
		if failed.Status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", failed.Status))
		}
	}
	if err != nil && ctx.Err() == nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, "request failed")
	}
	span.End()
}

func (c *Client) tries(ctx context.Context, r request) error {
	failed := &RequestError{Method: r.method, Route: r.route, Path: r.path}
	for failed.Tries < tries {
		if failed.Tries > 0 {
			if err := pause(ctx, c.cfg.backoff(failed.Tries, rand.Float64())); err != nil {
				return err
			}
		}
		if c.closed.Load() {
			return fmt.Errorf("mirror %s %s: %w", r.method, r.path, ErrClosed)
		}
		failed.Tries++
		status, err := c.try(ctx, r)
		if err == nil {
			trace.SpanFromContext(ctx).SetAttributes(
				attribute.Int("http.response.status_code", status), attribute.Int("http.request.resend_count", failed.Tries-1))
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, errNoPermit) {
			return fmt.Errorf("mirror %s %s: %w", r.method, r.path, err)
		}
		failed.Status, failed.Err = status, err
		failed.Final = errors.Is(err, errTooLarge) || status >= 400 && status < 500 && status != http.StatusTooManyRequests
		if failed.Final {
			break
		}
	}
	return failed
}

// try sends the request once and reads its answer to the end.
func (c *Client) try(ctx context.Context, r request) (status int, err error) {
	address := c.base.JoinPath(r.path)
	address.RawQuery = r.query.Encode()
	request, err := http.NewRequestWithContext(ctx, r.method, address.String(), bytes.NewReader(r.body))
	if err != nil {
		return 0, fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "mirrorfleet")
	if len(r.body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err //nolint:wrapcheck // net/http names method and URL
	}
	defer response.Body.Close()
	c.heed(ctx, response)
	body, err := read(response.Body, r.most)
	if err != nil {
		return response.StatusCode, err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return response.StatusCode, &statusError{response.StatusCode, preview(body)}
	}
	if err := r.decode(body); err != nil {
		return response.StatusCode, fmt.Errorf("%w: %w: %s", errNotJSON, err, preview(body))
	}
	return response.StatusCode, nil
}

// read reads a body up to its cap.
func read(body io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, most)
	}
	return data, nil
}

// heed cools the egress down when the mirror asks for it. It is for the whole
// fleet: what one process was told holds for its IP.
func (c *Client) heed(ctx context.Context, response *http.Response) {
	wait, asked := retryAfter(response.Header, time.Now())
	if !asked {
		if response.StatusCode != http.StatusTooManyRequests {
			return
		}
		wait = c.cfg.Throttled
	}
	c.cfg.Log.WarnContext(ctx, "the mirror asks for a pause: the egress cools down",
		"status", response.StatusCode, "for", wait.String())
	if err := c.cfg.Meter.CoolDown(ctx, wait); err != nil && ctx.Err() == nil {
		c.cfg.Log.ErrorContext(ctx, "the cool-down could not be written", "error", err)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the next try: %w", ctx.Err())
	}
}
