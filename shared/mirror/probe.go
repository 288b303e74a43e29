package mirror

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// Reached is what one request found of the mirror.
type Reached struct {
	Status int
	// Latency is from the request's last byte to the answer's first one: the
	// waits for a permit and for the connection are not in it.
	Latency time.Duration
	// Protocol is the answer's, such as HTTP/2.0.
	Protocol string
	// TLS is the version, "" for a connection without; Expires is when the
	// mirror's certificate runs out.
	TLS     string
	Expires time.Time
	// Date is the mirror's clock at an instant between Sent and Answered of this
	// machine's, without the fraction of its second; zero if it did not tell.
	Date, Sent, Answered time.Time
	// Mirror says that the answer is a JSON object, as a mirror's is.
	Mirror bool
}

// Probe asks for the mirror's health once: one permit, one sending, no retry, no
// redirect followed, and none of the breaker's business. An error says that
// there was no answer; a status that is no success is none.
func (c *Client) Probe(ctx context.Context) (Reached, error) {
	const path = "/api/v1/health"
	ctx, end := context.WithCancelCause(sentAs(ctx, path))
	defer end(nil)
	defer context.AfterFunc(c.life, func() { end(ErrClosed) })() //nolint:contextcheck // the client's own life
	began := time.Now()
	var sent, answered atomic.Int64 // since then; net/http has goroutines of its own
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest:         func(httptrace.WroteRequestInfo) { sent.Store(int64(time.Since(began))) },
		GotFirstResponseByte: func() { answered.Store(int64(time.Since(began))) },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address+path, nil)
	if err != nil {
		return Reached{}, fmt.Errorf("mirror GET %s: %w", path, err)
	}
	once := *c.http
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := once.Do(request)
	if err != nil {
		return Reached{}, fmt.Errorf("mirror GET %s: %w", path, err)
	}
	defer response.Body.Close()
	reached := Reached{Status: response.StatusCode, Latency: time.Duration(answered.Load() - sent.Load()), Protocol: response.Proto}
	reached.Sent, reached.Answered = began.Add(time.Duration(sent.Load())), began.Add(time.Duration(answered.Load()))
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		reached.Date = date
	}
	if state := response.TLS; state != nil {
		reached.TLS = tls.VersionName(state.Version)
		if len(state.PeerCertificates) > 0 {
			reached.Expires = state.PeerCertificates[0].NotAfter
		}
	}
	body, err := limit{"64 KiB", 64 << 10}.read(response)
	if err != nil {
		return reached, fmt.Errorf("mirror GET %s: %w", path, err)
	}
	_, err = document(body)
	reached.Mirror = err == nil
	return reached, nil
}
