package gateway_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// A client beyond the bound gets a 503 at once, while those before it wait on.
func TestOneTooManyDoesNotWait(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, `{}`), func(s *settings) { s.gateway.Wait, s.gateway.Waiting = time.Hour, 3 })
	b.meter.held.Store(true)
	ctx, leave := context.WithCancel(t.Context())
	answers := make(chan answer, 3)
	for range 3 {
		go func() { answers <- ask(ctx, visitor(t), http.MethodGet, b.url+health, "") }()
	}
	for range 3 {
		must.Receive(t.Context(), t, b.meter.asked, "a permit to be asked for")
	}
	ask(t.Context(), visitor(t), http.MethodGet, b.url+health, "").refused(t, "a fourth", http.StatusServiceUnavailable)
	if n := len(answers); n > 0 {
		t.Errorf("%d of those that wait for an hour have an answer", n)
	}
	leave()
	for range 3 {
		must.Receive(t.Context(), t, answers, "the end of one that waits")
	}
}

// A client whose permit does not come gets a 503 in its time. When permits come, it is as
// if nobody had waited.
func TestNobodyWaitsForEver(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, `{}`), func(s *settings) { s.gateway.Wait, s.gateway.Waiting = time.Second, 3 })
	b.meter.held.Store(true)
	answers := make(chan answer, 3)
	began := time.Now()
	for range 3 {
		go func() { answers <- ask(t.Context(), visitor(t), http.MethodGet, b.url+health, "") }()
	}
	for range 3 {
		must.Receive(t.Context(), t, b.meter.asked, "a permit to be asked for")
	}
	for range 3 {
		must.Receive(t.Context(), t, answers, "an answer").refused(t, "one that waits", http.StatusServiceUnavailable)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("those that waited were refused after %s, want 1 s", took)
	}
	if got := b.asks.Load(); got != 0 {
		t.Errorf("the mirror saw %d requests without a permit", got)
	}
	b.meter.held.Store(false)
	for range 5 {
		if got := ask(t.Context(), visitor(t), http.MethodGet, b.url+health, ""); got.status != http.StatusOK {
			t.Errorf("with permits: got %d %v, want 200", got.status, got.err)
		}
	}
}

// Those that wait for a connection, because others' answers take long, wait no longer
// than those that wait for a permit.
func TestTheWaitForAConnectionIsBounded(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	b := setup(t, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release },
		func(s *settings) { s.gateway.Wait, s.client.PoolSize = time.Second, 1 })
	first := make(chan answer, 1)
	go func() { first <- ask(t.Context(), visitor(t), http.MethodGet, b.url+health, "") }()
	must.Receive(t.Context(), t, arrived, "the first request")
	ask(t.Context(), visitor(t), http.MethodGet, b.url+health, "").refused(t, "a second", http.StatusServiceUnavailable)
	close(release) // longer after its permit than the wait: the first one has its answer all the same
	if got := must.Receive(t.Context(), t, first, "its answer"); got.status != http.StatusOK {
		t.Errorf("the first: got %d, %v, want 200", got.status, got.err)
	}
}

// The time is one for all tries: a mirror that fails and permits that stop end in a 503,
// and not in another wait.
func TestAnotherTryWaitsInWhatIsLeft(t *testing.T) {
	t.Parallel()
	var b *bundle
	b = setup(t, func(w http.ResponseWriter, _ *http.Request) {
		b.meter.held.Store(true)
		w.WriteHeader(http.StatusInternalServerError)
	}, func(s *settings) { s.gateway.Wait = time.Second })
	began := time.Now()
	ask(t.Context(), visitor(t), http.MethodGet, b.url+health, "").refused(t, "one that has to be tried again", http.StatusServiceUnavailable)
	if took := time.Since(began); took < time.Second {
		t.Errorf("it was refused after %s, want 1 s", took)
	}
}

// A client that goes while it waits gives back its place among those that wait, and in
// the pool.
func TestAWaitingClientThatGoesGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, `{}`), func(s *settings) { s.gateway.Waiting, s.client.PoolSize = 1, 1 })
	for range 5 {
		b.meter.held.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan answer, 1)
		go func() { gone <- ask(ctx, visitor(t), http.MethodPost, b.url+pulls, `{"since_by_repo":{}}`) }()
		must.Receive(t.Context(), t, b.meter.asked, "a permit to be asked for")
		cancel()
		must.Receive(t.Context(), t, gone, "the client to be gone")
		b.meter.held.Store(false)
		ctx, cancel = context.WithTimeout(t.Context(), patient)
		must.Until(ctx, t, "the place to be free", func() bool {
			return ask(ctx, visitor(t), http.MethodGet, b.url+health, "").status == http.StatusOK
		})
		cancel()
	}
	if got, permits := b.asks.Load(), b.meter.permits.Load(); got != permits {
		t.Errorf("the mirror saw %d requests with %d permits: those that went must spend none", got, permits)
	}
}
