package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/mirror"
)

// Session is one `producer run`, `producer replay` or `producer serve`, with everything
// that it has opened. It is used for one of them, once, and closed.
type Session struct {
	cfg Config
	// name identifies this producer to others.
	name string

	fleet     *fleet.Fleet
	simulator *simulator
	local     *local.Servers // nil unless the session is a local one
	workers   *workers
	closers   []func() error
	// source asks GitHub about unknown identities; nil for a replay without tokens.
	source *miners.Source
	under  underWay

	// mirrors are the clients by the mirror's address: all rounds of one mirror share its
	// client. Rounds and the API's replays use it from several goroutines.
	mirrorsMu sync.Mutex
	mirrors   map[string]*mirror.Client

	// planned is the name of the round that is run or replayed; "" for none yet. stored
	// says that the streams have the round: it was found there, or has shown progress.
	// replays says that it is replayed.
	planned         string
	stored, replays bool
}

// New makes a session, which opens nothing yet. The caller must close it.
func New(cfg Config) *Session {
	return &Session{cfg: cfg, name: leadership.NewName(), mirrors: map[string]*mirror.Client{}}
}

// Close closes everything in the opposite order of opening.
func (s *Session) Close() error {
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

func (s *Session) onClose(closer func() error) { s.closers = append(s.closers, closer) }

// Run runs a round from its inputs to its result.
func (s *Session) Run(ctx context.Context) (outcome.Result, error) {
	manifest, err := s.prepare(ctx)
	if err != nil {
		return outcome.Result{}, usageOfEgress(err)
	}
	byHand := s.byHand(manifest.Mirror)
	byHand.alone <- struct{}{} // what is ordered meanwhile waits for the round
	if err := s.openToOrders(ctx, byHand); err != nil {
		return outcome.Result{}, err
	}
	result, err := s.serve(ctx, manifest, func(ctx context.Context, runner *round.Runner) (outcome.Result, error) {
		defer func() { <-byHand.alone }()
		s.planned = manifest.Round
		if s.cfg.Resume != "" {
			return runner.Resume(ctx, manifest.Round)
		}
		return runner.Start(ctx, manifest)
	})
	return result, usageOfEgress(err)
}

// byHand is what carries out orders beside and after a round that is run by hand. Local workers
// were started for that round's mirror.
func (s *Session) byHand(mirror string) *served {
	v := &served{
		session: s,
		alone:   make(chan struct{}, 1),
		config:  s.roundConfig(),
	}
	if s.cfg.Local {
		v.mirror = mirror
	}
	return v
}

// Stay keeps a session that has run a round open to orders until ctx ends, or until what a
// local session has started is lost.
func (s *Session) Stay(ctx context.Context) error {
	if s.workers == nil {
		<-ctx.Done()
		return nil
	}
	return s.watchLocal(ctx)
}

// Leftover says how the round that was run or replayed stands after a signal has ended
// the work on it; false if there was no round yet.
func (s *Session) Leftover(ctx context.Context, now time.Time) (view.Leftover, bool) {
	if s.planned == "" {
		return view.Leftover{}, false
	}
	var bus *jobstream.Bus
	if s.fleet != nil {
		bus = s.fleet.Bus
	}
	return view.LeftoverOf(ctx, bus, s.planned, s.name, s.stored, now), true
}

// Replays says whether a round is replayed.
func (s *Session) Replays() bool { return s.replays }

// Simulated returns what the simulated mirror has counted; nil without one.
func (s *Session) Simulated(ctx context.Context) (*view.Simulated, error) {
	if s.simulator == nil {
		return nil, nil //nolint:nilnil // as documented
	}
	stats, err := s.simulator.stats(ctx)
	if err != nil {
		return nil, err
	}
	return &stats, nil
}

// serve starts the local workers, if the session is local, and runs work while the round
// is shown. The consumer is filtered to the round before workers start: otherwise they
// would take jobs that an interrupted round has left in the queue.
func (s *Session) serve(
	ctx context.Context, manifest job.Manifest, work func(context.Context, *round.Runner) (outcome.Result, error),
) (outcome.Result, error) {
	if s.cfg.Local {
		if err := s.fleet.Bus.Queue.ServeOnly(ctx, manifest.Round); err != nil {
			return outcome.Result{}, fmt.Errorf("serving round %s alone: %w", manifest.Round, err)
		}
		if err := s.startWorkers(ctx, manifest.Mirror); err != nil {
			return outcome.Result{}, err
		}
	}
	s.observePaused()
	return s.follow(ctx, manifest, work)
}

// mirrorOf returns this process's only client of a mirror. It lives as long as the
// session.
func (s *Session) mirrorOf(address string) (*mirror.Client, error) {
	s.mirrorsMu.Lock()
	defer s.mirrorsMu.Unlock()
	if client, there := s.mirrors[address]; there {
		return client, nil
	}
	client, err := s.fleet.Mirror(address)
	if err != nil {
		return nil, err
	}
	s.mirrors[address] = client
	return client, nil
}

func (s *Session) closeMirrors() error {
	s.mirrorsMu.Lock()
	defer s.mirrorsMu.Unlock()
	for _, client := range s.mirrors {
		client.Close()
	}
	return nil
}
