package ratelimit_test

import (
	"cmp"
	"context"
	"flag"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

func TestMain(m *testing.M) {
	// These tests mostly wait for their own slots. Two at a time, as on a small machine,
	// would take a minute.
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = parallel.Value.Set("8")
	}
	goleak.VerifyTestMain(m)
}

// server is a Redis that a test can stop and bring back at the same address. It comes
// back empty, or with the older state of a replica.
type server struct {
	url         string                                                     // of the one address, empty for a cluster
	connect     func(timeout time.Duration) (redis.UniversalClient, error) // zero for the usual one
	start, stop func(t *testing.T)
	// promote makes a lagging replica the server; nil where there is none.
	promote func(t *testing.T)
	// tellsRunID says whether INFO has a run id. The embedded server has none.
	tellsRunID bool

	mu   sync.Mutex
	seen map[string]*arrivals // by egress
}

// servers are what the conformance suite runs against.
var servers = map[string]func(testing.TB) *server{
	"embedded": embedded, "redis-server": process, "cluster": cluster, "primary and replica": pair,
}

// single are those of one address that is served, or not.
var single = map[string]func(testing.TB) *server{"embedded": embedded, "redis-server": process}

// onEach runs a test on each kind of server, side by side.
func onEach(t *testing.T, kinds map[string]func(testing.TB) *server, test func(t *testing.T, s *server)) {
	t.Helper()
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// newServer is a server at a single address. When the test ends, it counts all that was
// sent by its permits.
func newServer(tb testing.TB, url string) *server {
	tb.Helper()
	s := &server{url: url, seen: map[string]*arrivals{}}
	s.connect = func(timeout time.Duration) (redis.UniversalClient, error) { return ratelimit.NewClient(url, timeout) }
	if t, ok := tb.(*testing.T); ok {
		t.Cleanup(func() { s.countArrivals(t) })
	}
	return s
}

func embedded(tb testing.TB) *server {
	tb.Helper()
	m := miniredis.NewMiniRedis()
	must.Do(tb, m.Start())
	tb.Cleanup(m.Close)
	s := newServer(tb, "redis://"+m.Addr())
	s.stop = func(*testing.T) { m.Close() }
	s.start = func(t *testing.T) {
		t.Helper()
		m.FlushAll()
		must.Do(t, m.Restart())
	}
	return s
}

// process is a redis-server that stores nothing on disk.
func process(tb testing.TB) *server {
	tb.Helper()
	run := redistest.Start(tb)
	s := newServer(tb, run.URL())
	s.tellsRunID = true
	s.stop = func(*testing.T) { run.Kill() }
	s.start = func(t *testing.T) { t.Helper(); run.Restart(t) }
	return s
}

// cluster has three nodes, and a bucket lies on one of them. All go and come together, so
// a test need not know which.
func cluster(tb testing.TB) *server {
	tb.Helper()
	nodes := redistest.StartCluster(tb)
	s := newServer(tb, "")
	s.tellsRunID = true
	s.connect = func(timeout time.Duration) (redis.UniversalClient, error) {
		timeout = cmp.Or(timeout, ratelimit.DefaultTimeout)
		options := &redis.ClusterOptions{
			ContextTimeoutEnabled: true, DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout,
		}
		for _, node := range nodes {
			options.Addrs = append(options.Addrs, node.Address)
		}
		return redis.NewClusterClient(options), nil
	}
	s.stop = func(*testing.T) {
		for _, node := range nodes {
			node.Kill()
		}
	}
	s.start = func(t *testing.T) {
		t.Helper()
		for _, node := range nodes {
			node.Restart(t)
		}
	}
	return s
}

// pair is a primary and a replica behind one address. When the primary has gone, the
// replica takes its address.
func pair(tb testing.TB) *server {
	tb.Helper()
	p := redistest.StartPair(tb)
	s := newServer(tb, "redis://"+p.Front.Address)
	s.tellsRunID = true
	s.stop = func(*testing.T) { p.Front.Cut(); p.Primary.Kill() }
	s.start = func(t *testing.T) { t.Helper(); p.Failover(t) }
	s.promote = func(t *testing.T) {
		t.Helper()
		p.Link.Cut()
		ahead, behind := p.Primary.Client(t), p.Replica.Client(t)
		await(t, "the replica lags", func() bool {
			granted := func(rdb *redis.Client) int64 {
				n, _ := rdb.HGet(t.Context(), ratelimit.Key("default"), "granted").Int64()
				return n
			}
			return granted(ahead) >= granted(behind)+20
		})
		p.Failover(t)
	}
	return s
}

// quick is the mirror's limit, ten times as fast: 48 slots in 1.2 s, one each 25 ms. The
// long jitter suits busy machines.
func quick() ratelimit.Config {
	return ratelimit.Config{
		Window: time.Second, Jitter: 200 * time.Millisecond, Horizon: 500 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
	}
}

// awaitListener waits until a limiter receives the notices of others.
func (s *server) awaitListener(t *testing.T) {
	t.Helper()
	rdb := patient(t, s)
	await(t, "a listener", func() bool {
		var listeners atomic.Int64
		everywhere(t, rdb, func(ctx context.Context, node *redis.Client) error {
			channel := ratelimit.Channel(ratelimit.DefaultEgress)
			listening, err := node.PubSubNumSub(ctx, channel).Result()
			listeners.Add(listening[channel])
			return err
		})
		return listeners.Load() > 0
	})
}

// client returns a client of a server as the commands make it.
func (s *server) client(tb testing.TB) redis.UniversalClient {
	tb.Helper()
	rdb := must.Get(s.connect(0))(tb)
	tb.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// everywhere does something on each node that has data.
func everywhere(t *testing.T, rdb redis.UniversalClient, do func(context.Context, *redis.Client) error) {
	t.Helper()
	var err error
	switch rdb := rdb.(type) {
	case *redis.ClusterClient:
		err = rdb.ForEachMaster(t.Context(), do)
	case *redis.Client:
		err = do(t.Context(), rdb)
	}
	must.Do(t, err)
}

// limiter returns a limiter with a client of its own, as each process has. Requests with
// its permits are counted with the rest of its egress.
func (s *server) limiter(tb testing.TB, cfg ratelimit.Config) *sender {
	tb.Helper()
	return s.limiterBy(tb, cfg, s.client(tb))
}

// patientLimiter loses no call on a busy machine: its calls, and so its permits, have ten
// seconds. It has a slot each 40 ms.
func (s *server) patientLimiter(tb testing.TB, cfg ratelimit.Config) *sender {
	tb.Helper()
	cfg.Limit = 502
	cfg.Window = 10 * time.Second
	cfg.Jitter = 10 * time.Second
	cfg.Timeout = 10 * time.Second
	return s.limiterBy(tb, cfg, patient(tb, s))
}

func (s *server) limiterBy(tb testing.TB, cfg ratelimit.Config, rdb redis.UniversalClient) *sender {
	tb.Helper()
	l := must.Get(ratelimit.New(cfg, rdb))(tb)
	tb.Cleanup(func() { _ = l.Close() })
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, found := s.seen[cfg.Egress]
	if !found {
		seen = &arrivals{began: time.Now(), window: cfg.Window, limit: ratelimit.MaxInWindow(cfg)}
		s.seen[cfg.Egress] = seen
	}
	return &sender{l, seen}
}

// countArrivals checks all that was sent: never more than the limit less its spare, by
// any count over any phase.
func (s *server) countArrivals(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seen := range s.seen {
		seen.wantWithin(t)
	}
}

// signals is a log handler that gives a test the logged messages in order.
type signals struct {
	slog.Handler

	messages chan string
}

func newSignals() signals { return signals{slog.DiscardHandler, make(chan string, 64)} }

func (s signals) Enabled(context.Context, slog.Level) bool { return true }

func (s signals) Handle(_ context.Context, record slog.Record) error {
	s.messages <- record.Message
	return nil
}

// want waits for the next message, which must be this one.
func (s signals) want(t *testing.T, part string) {
	t.Helper()
	select {
	case got := <-s.messages:
		if !strings.Contains(got, part) {
			t.Fatalf("logged %q, want %q", got, part)
		}
	case <-t.Context().Done():
		t.Fatalf("nothing logged, want %q", part)
	}
}
