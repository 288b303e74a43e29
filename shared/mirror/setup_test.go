package mirror_test

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// meter grants every permit at once and counts them.
type meter struct {
	permits atomic.Int64
	// permit and coolDown, if set, answer in its place.
	permit   func(ctx context.Context, n int64) (time.Time, error)
	coolDown func(ctx context.Context, d time.Duration) error

	mu    sync.Mutex
	cools []time.Duration
}

func (m *meter) Permit(ctx context.Context) (time.Time, error) {
	n := m.permits.Add(1)
	if m.permit != nil {
		return m.permit(ctx, n)
	}
	return time.Now().Add(time.Hour), ctx.Err()
}

func (m *meter) CoolDown(ctx context.Context, d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cools = append(m.cools, d)
	if m.coolDown != nil {
		return m.coolDown(ctx, d)
	}
	return nil
}

func (m *meter) cooled() []time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]time.Duration(nil), m.cools...)
}

// seen is one request as the server saw it.
type seen struct {
	method, path, query, body string
	header                    http.Header
}

// bundle is a mirror and a client of it.
type bundle struct {
	client *mirror.Client
	meter  *meter
	server *httptest.Server
	// connections counts those that the server accepted. highest is the largest number
	// that were open at once.
	connections, open, highest atomic.Int64

	mu       sync.Mutex
	requests []seen
}

// setup serves a mirror that answers by handle. Its client has short pauses and a breaker
// that stays closed.
func setup(t *testing.T, handle http.HandlerFunc, change ...func(*mirror.Config)) *bundle {
	t.Helper()
	b := &bundle{meter: &meter{}}
	b.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.requests = append(b.requests, seen{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body), r.Header.Clone()})
		b.mu.Unlock()
		handle(w, r)
	}))
	b.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state { //nolint:exhaustive // only the two ends count
		case http.StateNew:
			b.connections.Add(1)
			now := b.open.Add(1)
			for highest := b.highest.Load(); now > highest && !b.highest.CompareAndSwap(highest, now); highest = b.highest.Load() {
				continue
			}
		case http.StateClosed:
			b.open.Add(-1)
		}
	}
	b.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // aborted answers are meant
	b.server.Start()
	t.Cleanup(b.server.Close)
	b.client = b.another(t, change...)
	return b
}

// another makes one more client of the mirror, on the same meter.
func (b *bundle) another(t *testing.T, change ...func(*mirror.Config)) *mirror.Client {
	t.Helper()
	cfg := mirror.Config{
		BaseURL: b.server.URL, Meter: b.meter, Backoff: time.Millisecond, MaxBackoff: time.Millisecond,
		BreakAfter: 1000, Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&cfg)
	}
	client := must.Get(mirror.New(cfg))(t)
	t.Cleanup(client.Close)
	return client
}

func (b *bundle) saw() []seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]seen(nil), b.requests...)
}

// metered compares the permits with the client's own count and the server's.
func (b *bundle) metered(t *testing.T, want int) {
	t.Helper()
	if got := len(b.saw()); got != want {
		t.Errorf("the server saw %d requests, want %d", got, want)
	}
	stats := b.client.Stats()
	if got := b.meter.permits.Load() - stats.Late; got != int64(want) || stats.Sent != int64(want) || stats.Permits != int64(want) {
		t.Errorf("%d permits granted in time, counts %+v, want %d permits and as many sent", got, stats, want)
	}
}

const (
	emptyPulls = `{"github_id":"7","pull_requests":[]}`
	emptyFiles = `{"repo_full_name":"a/b","pr_number":{number},"files":[]}`
	health     = `{"status":"ok"}`
)

// say gives the same answer to every request, but with the number of the requested pull
// request.
func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(body, "{") {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "{number}", path.Base(path.Dir(r.URL.Path))))
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

// cut announces more bytes than it sends, and ends the connection.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"github_id":"7",`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// reset ends the connection without an answer.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func pack(w io.Writer, text string) {
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
}
