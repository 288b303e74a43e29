package mirrorsim_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/mirrorsim"
)

// Connections are counted as a pool makes them, and the simulator's own
// requests are in no number.
func TestStatsOverTheWire(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{Limit: 50, Window: time.Hour})
	pool := b.client.Transport.(*http.Transport)
	pool.MaxConnsPerHost, pool.MaxIdleConnsPerHost = 3, 3
	var clients sync.WaitGroup
	for range 12 {
		clients.Go(func() { b.do(http.MethodGet, health, "") })
	}
	clients.Wait()
	b.do(http.MethodGet, "/nothing", "")

	watcher := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(watcher.CloseIdleConnections)
	response, err := watcher.Get(b.server.URL + "/sim/stats")
	if err != nil {
		t.Fatalf("stats: %v", err)
	}
	defer response.Body.Close()
	var got mirrorsim.Stats
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatalf("stats: %v", err)
	}
	if got.Requests != 13 || got.OverLimit != 0 || got.Worst != (mirrorsim.Worst{Fixed: 13, Sliding: 13, TwoWindow: 13}) {
		t.Errorf("stats %+v, want 13 requests, all in one window", got)
	}
	wantRoutes := map[string]mirrorsim.RouteStats{
		mirrorsim.RouteHealth: {Requests: 12, Statuses: map[string]int{"200": 12}},
		mirrorsim.RouteOther:  {Requests: 1, Statuses: map[string]int{"404": 1}},
	}
	if diff := cmp.Diff(wantRoutes, got.ByRoute); diff != "" {
		t.Errorf("by route (-want +got):\n%s", diff)
	}
	c := got.Connections
	if c.Used < 1 || c.Used > 3 || c.MaxOpen > 3 || c.Open != c.Used {
		t.Errorf("connections %+v, want 1 to 3 used, all open, and not the watcher's", c)
	}
	if got.LimitUsed <= 0 {
		t.Errorf("stats %+v, want a share of the limit", got)
	}
}

// A reset starts every number anew, the limit's counts too; what is open stays
// open.
func TestReset(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{Limit: 3, Window: time.Hour, Mitigation: time.Hour})
	for range 4 {
		b.do(http.MethodGet, health, "")
	}
	if r := b.do(http.MethodPost, "/sim/reset", ""); r.status != http.StatusNoContent {
		t.Fatalf("reset: %d, want 204", r.status)
	}
	stats := b.server.Stats()
	if stats.Requests != 0 || stats.OverLimit != 0 || stats.Connections.Used != 1 || stats.Connections.Open != 1 {
		t.Errorf("stats after the reset %+v, want nothing but the open connection", stats)
	}
	if r := b.do(http.MethodGet, health, ""); r.status != http.StatusOK {
		t.Errorf("request after the reset: %d, want 200, the limit forgets too", r.status)
	}
	if r := b.do(http.MethodGet, "/sim/else", ""); r.status != http.StatusNotFound || b.server.Stats().Requests != 1 {
		t.Errorf("unknown request to the simulator: %d with %d counted, want 404 and 1", r.status, b.server.Stats().Requests)
	}
}

// A connection that is warmed before its first request is used with it; one to
// the simulator itself never is.
func TestConnectionsThatWait(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{})
	conn := warmed(t, b)
	b.do(http.MethodGet, "/sim/stats", "")
	if c := b.server.Stats().Connections; c != (mirrorsim.Connections{}) {
		t.Errorf("before a request to the mirror: %+v, want none", c)
	}
	if _, err := conn.Write([]byte("GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatalf("write: %v", err)
	}
	waitFor(t, b.server, func(s mirrorsim.Stats) bool { return s.Requests == 1 })
	if c := b.server.Stats().Connections; c != (mirrorsim.Connections{Used: 1, Open: 1, MaxOpen: 1}) {
		t.Errorf("after its first request: %+v, want one of each", c)
	}
	conn.Close()
	waitFor(t, b.server, func(s mirrorsim.Stats) bool { return s.Connections.Open == 0 })
}

// warmed opens a connection that carries no request.
func warmed(t *testing.T, b *bundle) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.server.URL, "http://"))
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	waitFor(t, b.server, func(mirrorsim.Stats) bool { return b.server.Unasked() == 1 })
	return conn
}

// Holds the fault of a Close that waits for the first request of a connection
// that a pool opened and never used, and then says that it failed.
func TestCloseWithUnusedConnection(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{})
	warmed(t, b)
	for range 2 {
		if err := b.server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}
