package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// ErrWaited says that a request that was to be passed on had no permit in its time.
var ErrWaited = errors.New("mirror: no permit in time")

// Forwarding says how somebody else's request is passed on.
type Forwarding struct {
	// Route is its path without ids, for spans and metrics.
	Route string
	// Wait is how long it may be without a permit from now on, whatever it waits for:
	// the breaker, a connection, its permit, another try. Required.
	Wait time.Duration
	// Permitted is told of each permit that it has. Required.
	Permitted func()
}

// Forward passes on a request of somebody else: under the breaker, with a permit for
// each sending, and with tries and cool-downs as all requests of the client. Until there
// is an answer that is worth passing on nothing is: the last try's is, whatever it is,
// but for a 429, which is an error with that status. The answer is not read;
// closing its body gives back the connection's place. A body of the request must be one
// that can be had again (GetBody). The errors are those of the package, and ErrWaited.
func (c *Client) Forward(r *http.Request, f Forwarding) (*http.Response, error) {
	if r.URL.Scheme != c.base.Scheme || r.URL.Host != c.base.Host {
		return nil, fmt.Errorf("mirror: passing on a request to %q, want %s://%s", r.URL.Scheme+"://"+r.URL.Host, c.base.Scheme, c.base.Host)
	}
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return nil, errors.New("mirror: passing on a request whose body can be sent once: set GetBody")
	}
	ctx, end := context.WithCancelCause(sentAs(r.Context(), f.Route))
	waits := &patience{until: time.Now().Add(f.Wait), permitted: f.Permitted}
	waits.timer = time.AfterFunc(f.Wait, func() { end(ErrWaited) })
	closing := context.AfterFunc(c.life, func() { end(ErrClosed) }) //nolint:contextcheck // the client's own life
	finish := func() { closing(); waits.timer.Stop(); end(nil) }
	ctx = context.WithValue(ctx, patienceKey{}, waits)

	answer := &forwarded{Client: c, ctx: ctx, request: r}
	defer func() { // deferred, because a Meter may panic
		if answer.response == nil {
			finish()
		}
	}()
	err := c.call(ctx, request{method: r.Method, route: f.Route, path: r.URL.Path}, func(under context.Context) (int, error) {
		waits.begin()
		return answer.try(under)
	})
	if answer.response == nil {
		return nil, err
	}
	answer.response.Body = &finishedBody{ReadCloser: answer.response.Body, finish: finish}
	return answer.response, nil
}

// forwarded is a request on its way, with the answer to pass on.
type forwarded struct {
	*Client

	// ctx outlives the tries: it is the answer's as well.
	ctx      context.Context //nolint:containedctx // of one call
	request  *http.Request
	tries    int
	response *http.Response // nil until there is one to pass on
}

// try sends the request once, under the span of the call; the context is the answer's.
func (f *forwarded) try(under context.Context) (status int, err error) {
	f.tries++
	once := f.request.Clone(trace.ContextWithSpan(f.ctx, trace.SpanFromContext(under))) //nolint:contextcheck // the answer outlives under
	once.RequestURI = ""                                                                // net/http sends none that has one
	if f.request.GetBody != nil {
		if once.Body, err = f.request.GetBody(); err != nil {
			return 0, fmt.Errorf("the request's body: %w", err)
		}
	}
	response, status, err := f.do(once)
	if err != nil {
		return status, err
	}
	switch {
	case status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		err = &statusError{status: status}
	case isPage(response):
		err = errNotJSON
	}
	if err != nil && (f.tries < maxTries || status == http.StatusTooManyRequests) {
		defer response.Body.Close()
		if failed, ok := err.(*statusError); ok { //nolint:errorlint // it was made above
			failed.body = preview(beginning(response.Body))
		}
		return status, err
	}
	f.response = response
	return status, err
}

// isPage says whether a success is a page for people: a proxy before the mirror
// sends such pages, the mirror never.
func isPage(r *http.Response) bool {
	return r.StatusCode < 300 && strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Type"))), "text/html")
}

// finishedBody ends what an answer needed when it is closed.
type finishedBody struct {
	io.ReadCloser

	finish func()
}

func (b *finishedBody) Close() error {
	defer b.finish()
	return b.ReadCloser.Close() //nolint:wrapcheck // the transport's own error
}

type patienceKey struct{}

// patience ends a request that is too long without a permit: its timer runs but for the
// time in which the request has one. Only the goroutine that sends begins and ends it.
type patience struct {
	timer     *time.Timer
	until     time.Time
	permitted func()
}

// begin says that there is no permit, or that it has been used.
func (p *patience) begin() {
	if p != nil {
		p.timer.Reset(time.Until(p.until))
	}
}

// end says that there is one.
func (p *patience) end() {
	if p != nil {
		p.timer.Stop()
		p.permitted()
	}
}
