package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/problems"
	"mirrorfleet/worker/mirrorgate/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient is longer than any test waits for anything.
const patient = 30 * time.Second

// meter grants every permit at once, or, while held is set, none.
type meter struct {
	permits atomic.Int64
	held    atomic.Bool
	asked   chan struct{} // one for each permit that was asked for while held
	release chan struct{}

	mu    sync.Mutex
	cools []time.Duration
}

func newMeter() *meter {
	return &meter{asked: make(chan struct{}, 1000), release: make(chan struct{})}
}

func (m *meter) Permit(ctx context.Context) (time.Time, error) {
	if m.held.Load() {
		m.asked <- struct{}{}
		select {
		case <-m.release:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
	m.permits.Add(1)
	return time.Now().Add(time.Hour), nil
}

func (m *meter) CoolDown(_ context.Context, d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cools = append(m.cools, d)
	return nil
}

func (m *meter) cooled() []time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]time.Duration(nil), m.cools...)
}

// bundle is a gateway that listens, before a mirror.
type bundle struct {
	url    string
	server *listen.Server
	client *mirror.Client
	meter  *meter
	asks   atomic.Int64 // requests that the mirror saw
}

// settings are what a test may change.
type settings struct {
	client  mirror.Config
	gateway gateway.Config
	grace   time.Duration
}

// setup serves a mirror that answers by handle, and a gateway before it.
func setup(tb testing.TB, handle http.HandlerFunc, change ...func(*settings)) *bundle {
	tb.Helper()
	b := &bundle{meter: newMeter()}
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asks.Add(1)
		handle(w, r)
	}))
	upstream.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // aborted answers are meant
	upstream.Start()
	tb.Cleanup(upstream.Close)
	b.open(tb, upstream.URL, b.meter, change...)
	return b
}

// open makes the gateway of a mirror.
func (b *bundle) open(tb testing.TB, url string, m mirror.Meter, change ...func(*settings)) {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	s := settings{
		client: mirror.Config{
			BaseURL: url, Meter: m, Backoff: time.Millisecond, MaxBackoff: time.Millisecond, BreakAfter: 1000, Log: log,
		},
		gateway: gateway.Config{Mirror: url, Log: log},
	}
	for _, c := range change {
		c(&s)
	}
	b.client = must.Get(mirror.New(s.client))(tb)
	tb.Cleanup(b.client.Close)
	s.gateway.Client = b.client
	b.server = must.Get(listen.Start(tb.Context(), listen.Config{
		Name: "the gateway", Addr: "127.0.0.1:0", Handler: must.Get(gateway.New(s.gateway))(tb), Connections: 1000, Grace: s.grace, Log: log,
	}))(tb)
	tb.Cleanup(func() { b.server.Close() })
	b.url = "http://" + b.server.Addr()
}

// visitor is a client with a session of its own, as a validator has one for each miner.
func visitor(tb testing.TB) *http.Client {
	tb.Helper()
	transport := &http.Transport{DisableCompression: true}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// answer is what came back; err is set when it is not whole.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// ask sends one request.
func ask(ctx context.Context, client *http.Client, method, url, body string) answer {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(data), err}
}

// refused holds that an answer is a problem document with this status.
func (a answer) refused(t *testing.T, what string, status int) {
	t.Helper()
	var document problems.Document
	err := json.Unmarshal([]byte(a.body), &document)
	if a.err != nil || err != nil || a.status != status || document.Status != status || document.Detail == "" ||
		a.header.Get("Content-Type") != problems.ContentType {
		t.Errorf("%s: got %d, %v %q (%v, %v), want a problem document with %d", what, a.status, a.header, a.body, a.err, err, status)
	}
	if again := a.header.Get("Retry-After"); (again != "") != (status == http.StatusServiceUnavailable) {
		t.Errorf("%s: Retry-After is %q with status %d, want one with 503 alone", what, again, status)
	}
}

const (
	health = "/api/v1/health"
	pulls  = "/api/v1/miners/7/pulls"
	files  = "/api/v1/pulls/a/b/1/files"
)

// say answers everything the same.
func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// then answers the first requests by first, one each, and the others by rest.
func then(rest http.HandlerFunc, first ...http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if i := int(n.Add(1)) - 1; i < len(first) {
			first[i](w, r)
			return
		}
		rest(w, r)
	}
}
