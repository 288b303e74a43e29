package mirror_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// forward passes on a request for the mirror's health.
func forward(t *testing.T, b *bundle, body io.Reader) (*http.Response, int, error) {
	t.Helper()
	request := must.Get(http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+"/api/v1/health", body))(t)
	permitted := 0
	response, err := b.client.Forward(request, mirror.Forwarding{
		Route: "/api/v1/health", Wait: time.Minute, Permitted: func() { permitted++ },
	})
	return response, permitted, err
}

// A forwarded request has the client's tries, and its answer comes unchanged. Closing the
// body gives the place back.
func TestForwardPassesOnWhatCame(t *testing.T) {
	t.Parallel()
	b := setup(t, then(say(http.StatusOK, `{"a":1}`), say(http.StatusBadGateway, "")), func(c *mirror.Config) { c.PoolSize = 1 })
	for i := range 3 {
		response, permitted, err := forward(t, b, strings.NewReader("asked"))
		if err != nil {
			t.Fatal(err)
		}
		body := string(must.Get(io.ReadAll(response.Body))(t))
		must.Do(t, response.Body.Close())
		if want := 1 + (3-i)/3; body != `{"a":1}` || response.StatusCode != http.StatusOK || permitted != want {
			t.Errorf("%d: got %d %q after %d permits, want the answer after %d", i, response.StatusCode, body, permitted, want)
		}
	}
	b.metered(t, 4)
	for _, r := range b.saw() {
		if r.body != "asked" {
			t.Errorf("the mirror got %q, want the body with each try", r.body)
		}
	}
}

// Forwarded requests that fail open the breaker as all others do. While it is open, they
// wait for it.
func TestForwardIsUnderTheBreaker(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusBadGateway, ""), func(c *mirror.Config) {
		c.BreakAfter = 1
		c.BreakAcross = 1
		c.BreakFor = time.Hour
	})
	response, _, err := forward(t, b, nil)
	if err != nil || response.StatusCode != http.StatusBadGateway {
		t.Fatalf("got %v, %v, want the answer of the last try", response, err)
	}
	must.Do(t, response.Body.Close())
	if !b.client.Open() {
		t.Error("the breaker is closed after three failed tries")
	}
	request := must.Get(http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/api/v1/health", nil))(t)
	_, err = b.client.Forward(request, mirror.Forwarding{ //nolint:bodyclose // there is none
		Wait: time.Millisecond, Permitted: func() { t.Error("a permit under an open breaker") },
	})
	if !errors.Is(err, mirror.ErrWaited) {
		t.Errorf("got %v, want ErrWaited", err)
	}
}

// A request that cannot be forwarded is refused before it takes a permit. Close ends
// forwarded requests.
func TestForwardRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, `{}`))
	elsewhere := must.Get(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://elsewhere.example/", nil))(t)
	if _, err := b.client.Forward(elsewhere, mirror.Forwarding{Wait: time.Minute}); err == nil { //nolint:bodyclose // there is none
		t.Error("a request to elsewhere was passed on")
	}
	if _, _, err := forward(t, b, io.MultiReader(strings.NewReader("once"))); err == nil { //nolint:bodyclose // there is none
		t.Error("a body that can be sent once was passed on")
	}
	b.metered(t, 0)

	asked := make(chan struct{})
	b.meter.permit = func(ctx context.Context, _ int64) (time.Time, error) {
		close(asked)
		<-ctx.Done()
		return time.Time{}, ctx.Err()
	}
	failed := make(chan error, 1)
	go func() {
		_, _, err := forward(t, b, nil) //nolint:bodyclose // there is none
		failed <- err
	}()
	must.Receive(t.Context(), t, asked, "a permit to be asked for")
	b.client.Close()
	if err := must.Receive(t.Context(), t, failed, "its end"); !errors.Is(err, mirror.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}
