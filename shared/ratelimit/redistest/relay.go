package redistest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/rs/zerolog"
)

// Relay passes the bytes of connections on to a server, of whatever kind.
type Relay struct {
	Address string // host:port, for as long as the test lasts

	proxy *toxiproxy.Proxy
}

// NewRelay starts a relay to a server's host:port.
func NewRelay(tb testing.TB, target string) *Relay {
	tb.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, tb.Name(), "127.0.0.1:0", target)
	if err := proxy.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(proxy.Stop)
	// Both are there from the start and only change: links that toxics are taken
	// from can hang when their connection ends at the same moment.
	for _, direction := range []stream.Direction{stream.Upstream, stream.Downstream} {
		toxic := fmt.Sprintf(`{"name": %q, "type": "latency", "stream": %q, "attributes": {"latency": 0}}`, direction, direction)
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			tb.Fatal(err)
		}
	}

	return &Relay{Address: proxy.Listen, proxy: proxy}
}

// Cut ends every connection and refuses new ones.
func (r *Relay) Cut() { r.proxy.Stop() }

// Mend takes connections again after a Cut.
func (r *Relay) Mend(tb testing.TB) {
	tb.Helper()
	if err := r.proxy.Start(); err != nil {
		tb.Fatal(err)
	}
}

// Redirect ends every connection and leads new ones to another server.
func (r *Relay) Redirect(tb testing.TB, target string) {
	tb.Helper()
	if err := r.proxy.Update(&toxiproxy.Proxy{Listen: r.Address, Upstream: target, Enabled: true}); err != nil {
		tb.Fatal(err)
	}
}

// Delay holds every chunk back by d, give or take jitter, each way; zero by no
// time at all.
func (r *Relay) Delay(tb testing.TB, d, jitter time.Duration) {
	tb.Helper()
	for _, direction := range []stream.Direction{stream.Upstream, stream.Downstream} {
		attributes := fmt.Sprintf(`{"attributes": {"latency": %d, "jitter": %d}, "toxicity": 1}`, d.Milliseconds(), jitter.Milliseconds())
		if _, err := r.proxy.Toxics.UpdateToxicJson(direction.String(), strings.NewReader(attributes)); err != nil {
			tb.Fatal(err)
		}
	}
}
