package nettest

import (
	"context"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// Relay passes the bytes of connections on to a server, of whatever kind.
type Relay struct {
	Address string // host:port

	url      string
	listener *net.TCPListener
	work     sync.WaitGroup

	mu     sync.Mutex
	target string
	delays [2]delay         // by way
	held   [2]chan struct{} // by way; closed and nil when it is let go
	// links is what the connections live in; a cut ends it.
	links context.Context //nolint:containedctx // the lifetime of what the relay carries
	end   context.CancelFunc
}

// NewRelay starts a relay to a server's host:port, or its URL.
func NewRelay(tb testing.TB, target string) *Relay {
	tb.Helper()
	listener := must.Get(net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))(tb)
	r := &Relay{
		Address:  listener.Addr().String(),
		listener: listener,
		target:   target,
		end:      func() {},
	}
	if strings.Contains(target, "://") {
		u := must.Get(url.Parse(target))(tb)
		r.target, u.Host = u.Host, r.Address
		r.url = u.String()
	}
	r.renewLocked() // nobody else has it yet
	r.work.Go(r.accept)
	tb.Cleanup(func() {
		_ = listener.Close()
		r.Cut()
		r.work.Wait()
	})
	return r
}

// URL is that of the server, with its user and password, at the relay's address.
func (r *Relay) URL() string { return r.url }

// Cut ends every connection without a goodbye, and each new one at once.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
}

// Mend carries new connections again, after a Cut or a Silence; what was silent
// ends.
func (r *Relay) Mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delays = [2]delay{}
	r.renewLocked()
}

// Redirect ends every connection and leads new ones to another server.
func (r *Relay) Redirect(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
	r.renewLocked()
}

// renewLocked ends the connections that there are, and lets new ones live.
func (r *Relay) renewLocked() {
	r.end()
	r.links, r.end = context.WithCancel(context.Background())
}

// delay is any time from shortest to longest.
type delay struct{ shortest, longest time.Duration }

// Delay holds what arrives from now on back, by any time from shortest to longest; none
// at first. It is for the ways that are named, or for both.
func (r *Relay) Delay(shortest, longest time.Duration, ways ...Way) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(ways) == 0 {
		ways = []Way{Up, Down}
	}
	for _, way := range ways {
		r.delays[way] = delay{shortest, longest}
	}
}

// Silence lets nothing through, of connections old and new, and ends none of them:
// a delay without an end.
func (r *Relay) Silence() { r.Delay(forever, forever) }

// forever is longer than any test.
const forever = 24 * time.Hour

// Way is the way that bytes go, seen from who connects.
type Way int

// The ways.
const (
	Up   Way = iota // to the server
	Down            // from the server
)

// Hold keeps what goes these ways until Release, as a process does that is
// stalled; the connections stay.
func (r *Relay) Hold(ways ...Way) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, way := range ways {
		if r.held[way] == nil {
			r.held[way] = make(chan struct{})
		}
	}
}

// Release lets go what was held, whole and in order, and whatever comes.
func (r *Relay) Release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for way, held := range r.held {
		if held != nil {
			close(held)
			r.held[way] = nil
		}
	}
}

// due is when what has arrived now goes on.
func (r *Relay) due(way Way) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.delays[way]
	return time.Now().Add(d.shortest + rand.N(d.longest-d.shortest+1))
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.AcceptTCP()
		if err != nil {
			return // the test has ended
		}
		r.work.Go(func() { r.carry(client) })
	}
}
