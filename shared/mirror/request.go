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

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/pause"
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
	limit limit
	// page counts a list's pages from 1; 0 for a request that is no list.
	page int
	// decode reads the answer; its error makes the answer worth another try.
	decode func(body []byte) error
	// stream, when set, reads the answer while it comes, in decode's place.
	stream func(body io.Reader) error
	// holds counts what was decoded, for the span; may be nil.
	holds func() (items, malformed int)
	// sent is told when the mirror sent what was decoded; may be nil.
	sent func(at time.Time)
}

// ask asks until there is an answer, a final one, or no try is left.
func (c *Client) ask(ctx context.Context, r request) error {
	return c.call(ctx, r, func(ctx context.Context) (int, error) { return c.try(ctx, r) })
}

// call makes the tries of one request, once the breaker lets it, until there is an
// answer, a final one, or no try is left. What try is given ends with call.
func (c *Client) call(ctx context.Context, r request, try func(context.Context) (status int, err error)) (err error) {
	ctx, span := c.startSpan(sentAs(ctx, r.route), r)
	defer func() { endSpan(ctx, span, err) }()
	under, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(c.life, func() { end(ErrClosed) })() //nolint:contextcheck // the client's own life
	if c.life.Err() != nil {
		end(ErrClosed) // now: the line above does it in a goroutine
	}
	err = c.guarded(under, r.path, func() error { return c.retry(under, r, try) })
	if err != nil && under.Err() != nil {
		return fmt.Errorf("mirror %s %s: %w", r.method, r.path, ended(under))
	}
	return err
}

// ended is why a context has ended: by Close, or by its owner, whose cause is
// named beside the context's own error.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrClosed) || errors.Is(cause, ctx.Err()) {
		return cause //nolint:wrapcheck // ask names the request
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

func (c *Client) retry(ctx context.Context, r request, try func(context.Context) (status int, err error)) error {
	failed := &RequestError{Method: r.method, Route: r.route, Path: r.path}
	span := trace.SpanFromContext(ctx)
	for failed.Tries < maxTries {
		if failed.Tries > 0 {
			telemetry.MirrorRetried(ctx, r.route)
			failed.rest(ctx, c.cfg.backoff(failed.Tries, rand.Float64()))
		}
		if ctx.Err() != nil { // no permit is spent on what nobody waits for
			return ended(ctx)
		}
		failed.Tries++
		status, err := try(ctx)
		if err == nil {
			answered(span, r, status, failed.Tries)
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, errNoPermit) {
			return fmt.Errorf("mirror %s %s: %w", r.method, r.path, err)
		}
		span.AddEvent("try failed", trace.WithAttributes(attribute.String("error.message", err.Error())))
		failed.Status, failed.Err = status, err
		failed.Final = errors.Is(err, errTooLarge) || status >= 400 && status < 500 && status != http.StatusTooManyRequests
		if failed.Final {
			break
		}
	}
	return failed
}

// rest waits between two tries.
func (e *RequestError) rest(ctx context.Context, length time.Duration) {
	until, why := time.Now().Add(length), clip(e.Err.Error())
	defer doing.Wait(ctx, func(now time.Time) doing.State {
		return doing.State{Waits: doing.Retry, For: until.Sub(now), Why: why}
	})()
	_ = pause.For(ctx, length)
}

// try sends the request once, and reads what comes back.
func (c *Client) try(ctx context.Context, r request) (status int, err error) {
	status, body, at, err := c.send(ctx, r)
	switch {
	case err != nil:
		return status, err
	case status < 200 || status > 299:
		return status, &statusError{status, preview(body)}
	}
	if r.stream != nil { // send has read it
		return status, nil
	}
	if err := r.decode(body); err != nil {
		return status, fmt.Errorf("%w: %w; it begins: %s", errNotJSON, err, preview(body))
	}
	if r.sent != nil {
		r.sent(at)
	}
	return status, nil
}

// send sends the request and reads the answer to its end, so that its
// connection is free for others before the answer is decoded. An answer that is
// read while it comes keeps it until then.
func (c *Client) send(ctx context.Context, r request) (status int, body []byte, at time.Time, err error) {
	address := c.base.JoinPath(r.path)
	address.RawQuery = r.query.Encode()
	request, err := http.NewRequestWithContext(ctx, r.method, address.String(), bytes.NewReader(r.body))
	if err != nil {
		return 0, nil, at, fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "mirrorfleet")
	if len(r.body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	response, status, err := c.do(request)
	if err != nil {
		return status, nil, at, err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return response.StatusCode, beginning(response.Body), at, nil
	}
	if at, err = http.ParseTime(response.Header.Get("Date")); err != nil {
		at = time.Now()
	}
	if r.stream != nil {
		return response.StatusCode, nil, at, r.limit.stream(response, r.stream)
	}
	body, err = r.limit.read(response)
	return response.StatusCode, body, at, err
}

// do sends a request, and follows the mirror's redirects.
func (c *Client) do(request *http.Request) (response *http.Response, status int, err error) {
	response, err = c.http.Do(request)
	if err == nil {
		return response, response.StatusCode, nil
	}
	if response != nil { // a redirect that is not followed
		status = response.StatusCode
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the request is named already, and a redirect's address may be anything
	}
	return nil, status, err
}
