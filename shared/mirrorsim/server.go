package mirrorsim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"mirrorfleet/shared/listen"
)

// grace is how long Close waits for answers that are being sent before it cuts them.
const grace = 5 * time.Second

// Server is a simulated mirror that listens.
type Server struct {
	URL string // http://127.0.0.1:PORT

	cfg    Config
	world  atomic.Pointer[World]
	http   *http.Server
	conns  *connections
	cancel context.CancelFunc // ends latencies and stalls
	served chan error         // the listener's end
	active sync.WaitGroup     // handlers under way

	mu      sync.Mutex
	origin  time.Time // arrivals are counted from here
	rng     *rand.Rand
	limits  limits
	fails   map[string]Failure
	chances []faultChance
	figures figures
}

// Start listens and serves until Close, or until ctx ends.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	// A plain listener: package listen's would bound the connections, and some are reset
	// here on purpose.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("mirrorsim: listening on %s: %w", cfg.Addr, err)
	}
	base, cancel := context.WithCancel(ctx)
	s := &Server{
		URL:     "http://" + listener.Addr().String(),
		cfg:     cfg,
		conns:   newConnections(),
		cancel:  cancel,
		served:  make(chan error, 1),
		chances: chances(cfg.Faults),
	}
	s.Change(cfg.World)
	s.Reset()
	// Answers are delayed on purpose, so the time to write them has no bound. Connections
	// are cut on purpose, so net/http's complaints about them are discarded.
	s.http = listen.HTTP(s.routes(), 0, slog.New(slog.DiscardHandler))
	s.http.ReadTimeout = 0
	s.http.ReadHeaderTimeout = time.Minute
	s.http.IdleTimeout = 2 * time.Minute // clients keep connections warm
	s.http.BaseContext = func(net.Listener) context.Context { return base }
	s.http.ConnContext, s.http.ConnState = s.conns.accepted, s.conns.changed
	if cfg.OwnUser {
		listener = ownListener{listener}
	}
	go func() { s.served <- s.http.Serve(listener) }()
	return s, nil
}

// Close stops listening, drops requests that wait for a latency or a stall, gives answers
// that are being sent time to finish (grace), and returns when every goroutine of the
// server has ended. It may be called again.
func (s *Server) Close() error {
	s.cancel()
	s.conns.closeUnused()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.active.Wait()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.served <- http.ErrServerClosed // Close may be called again
	if err != nil {
		return fmt.Errorf("mirrorsim: closing %s: %w", s.URL, err)
	}
	return nil
}

// Change serves another world from now on, with its failures: what has changed at the mirror
// since. An answer is of one world. The caller closes both, after the server.
func (s *Server) Change(world *World) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.Store(world)
	s.fails = map[string]Failure{}
	maps.Copy(s.fails, world.Fails)
}

// FailFirst makes the next times requests of a request key fail (see
// Failure): pulls:ID, issues:ID, open_issues:ID, files:owner/repo#n,
// maintainers:owner/repo, all_issues or health.
func (s *Server) FailFirst(key string, times int, fault Fault) error {
	if err := fault.check(); err != nil {
		return fmt.Errorf("mirrorsim: failing %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[key] = Failure{Times: times, Fault: fault}
	return nil
}

// Reset sets all counts to 0, those of the limit too, and starts the random sequence again
// from the seed. Failures that have been used up stay so.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.origin = time.Now()
	s.figures = newFigures()
	s.limits = limits{}
	s.conns.reset()
	s.rng = rand.New(rand.NewPCG(s.cfg.Seed, 0x6d6972726f72)) // the second word only tells our streams apart
	if s.cfg.Limit > 0 {
		phase := func() time.Duration { return time.Duration(s.rng.Int64N(int64(s.cfg.Window))) }
		fixed := phase()
		estimate := phase()
		s.limits.make = func() *counter {
			return newCounter(s.cfg.Limit, s.cfg.Window, s.cfg.Mitigation, fixed, estimate)
		}
	}
}

// arrive counts a request of an address and decides its fate, under one lock: requests are
// decided in the order of their arrival, so the random sequence is the same in every run with
// that order.
func (s *Server) arrive(from netip.Addr, route, key string) fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.origin)
	s.figures.arrived(from, now, route)
	if v := s.limits.admit(from, now); v.refused {
		s.figures.refused(from, v)
		return fate{over: true, retry: v.retry}
	}
	f := fate{latency: s.cfg.Latency.draw(s.rng), fault: draw(s.rng, s.chances)}
	if failure, listed := s.fails[key]; listed && failure.Times != 0 {
		f.fault = failure.Fault
		if failure.Times > 0 {
			failure.Times--
			s.fails[key] = failure
		}
	}
	f.fault = f.fault.resolve(s.rng)
	return f
}

// fate is what was decided about a request when it arrived.
type fate struct {
	over    bool
	retry   time.Duration
	latency time.Duration
	fault   Fault
}
