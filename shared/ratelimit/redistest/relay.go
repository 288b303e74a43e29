package redistest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// Relay passes the bytes of connections on to a server, of whatever kind.
type Relay struct {
	Address string // host:port, for as long as the test lasts

	proxy *toxiproxy.Proxy
	lags  []*lag // one each way
}

// NewRelay starts a relay to a server's host:port.
func NewRelay(tb testing.TB, target string) *Relay {
	tb.Helper()
	toxics.Register(lagType, new(lag))
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	r := &Relay{proxy: toxiproxy.NewProxy(server, tb.Name(), "127.0.0.1:0", target)}
	if err := r.proxy.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.proxy.Stop)
	for _, direction := range []stream.Direction{stream.Upstream, stream.Downstream} {
		toxic := fmt.Sprintf(`{"name": %q, "type": %q, "stream": %q}`, direction, lagType, direction)
		wrapper, err := r.proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
		if err != nil {
			tb.Fatal(err)
		}
		added, ok := wrapper.Toxic.(*lag)
		if !ok {
			tb.Fatalf("the toxic is %T, want *lag", wrapper.Toxic)
		}
		r.lags = append(r.lags, added)
	}
	r.Address = r.proxy.Listen

	return r
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

// Delay holds every chunk back, each way, by any time from least to most.
func (r *Relay) Delay(least, most time.Duration) {
	for _, l := range r.lags {
		l.least.Store(int64(least))
		l.most.Store(int64(most))
	}
}

// lag is toxiproxy's latency toxic with figures that may change while it works:
// its own are written without a lock, and toxics that are taken off a link may
// hang when its connection ends at the same moment.
type lag struct{ least, most atomic.Int64 }

const lagType = "lag"

// Pipe passes chunks on, each after its delay, until the link ends. A link whose
// other end is gone takes nothing more, and says so to nobody: what comes after
// is lost with it.
func (l *lag) Pipe(stub *toxics.ToxicStub) {
	for gone := false; ; {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()

				return
			}
			if gone {
				continue
			}
			on := l.hold(stub, chunk.Timestamp)
			gone = stub.WriteOutput(chunk, patience) != nil
			if !on {
				return
			}
		}
	}
}

// patience is far more than a link takes to take a chunk, whose receiver has
// room for thousands of them.
const patience = time.Second

// hold waits until a chunk that came at an instant may go on; false when the link
// was interrupted.
func (l *lag) hold(stub *toxics.ToxicStub, came time.Time) bool {
	least, most := l.least.Load(), l.most.Load()
	timer := time.NewTimer(time.Until(came.Add(time.Duration(least + rand.Int64N(max(1, most-least+1))))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stub.Interrupt:
		return false
	}
}
