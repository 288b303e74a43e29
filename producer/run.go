package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/leadership"
	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/terminal"
)

// run is `producer run`.
func run(ctx context.Context, c *cli.Command) error {
	o, err := readOptions(c)
	if err != nil {
		return err
	}
	return conduct(ctx, c, o, (*session).run)
}

// conduct lets work bring a round to its end and shows the outcome: everything
// is opened in order, used, and closed in the opposite order, whatever happens
// in between.
func conduct(ctx context.Context, c *cli.Command, o options, work func(*session, context.Context) (outcome.Result, error)) (err error) {
	screen := terminal.NewScreen(os.Stderr)
	log, err := fleet.Logger(c, screen)
	if err != nil {
		return err
	}
	tracing, err := newTracing(ctx, c, log, screen)
	if err != nil {
		return err
	}
	seeing, err := fleet.Observe(ctx, c, "producer", "", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, seeing.Close()) }()

	s := &session{options: o, flags: c, log: log, seeing: seeing, tracing: tracing, screen: screen, name: leadership.NewName()}
	defer func() { err = errors.Join(err, s.close()) }()
	defer tracing.ended()
	result, err := work(s, ctx)
	if err != nil {
		return s.explain(ctx, usageOfEgress(err))
	}
	if err := s.show(ctx, result); err != nil {
		log.ErrorContext(ctx, "the round is concluded, but its result could not be printed: `producer show` prints it",
			"round", result.Round, "error", err)
		return err
	}
	if !result.Complete {
		return command.Silent(fmt.Errorf("round %s is not complete", result.Round))
	}
	return nil
}

// session is one `producer run` or `producer replay`, with what it has opened.
type session struct {
	options options
	flags   *cli.Command
	log     *slog.Logger
	seeing  *fleet.Observability
	tracing *tracing
	screen  *terminal.Screen // what is shown while a round runs

	wire      *fleet.Fleet
	servers   fleet.Config
	mirror    *mirror.Client
	simulator *simulator
	local     *local.Servers // nil unless the round is a local one
	fleet     *workers
	closers   []func() error
	// name is this producer's in the sight of others.
	name string
	// planned is the name of the round that the work is on, "" for none yet. It is stored
	// when it was found, or its work has begun; replays says that it is replayed.
	planned         string
	stored, replays bool
	// before is the revision that a replay started from; source asks GitHub again
	// about identities, nil if no tokens were given.
	before outcome.Result
	source *miners.Source
}

// close closes everything in the opposite order of opening.
func (s *session) close() error {
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

func (s *session) onClose(closer func() error) { s.closers = append(s.closers, closer) }

// run runs a round from its inputs to its result.
func (s *session) run(ctx context.Context) (outcome.Result, error) {
	manifest, err := s.prepare(ctx)
	if err != nil {
		return outcome.Result{}, err
	}
	return s.serve(ctx, manifest, func(ctx context.Context, runner *round.Runner) (outcome.Result, error) {
		s.planned = manifest.Round
		if s.options.resume != "" {
			return runner.Resume(ctx, manifest.Round)
		}
		return runner.Start(ctx, manifest)
	})
}

// serve starts what the round's jobs need, on this machine if it is a local
// one, and does the work with a display beside it.
func (s *session) serve(
	ctx context.Context, manifest job.Manifest, work func(context.Context, *round.Runner) (outcome.Result, error),
) (_ outcome.Result, err error) {
	if s.options.local {
		if err := s.wire.Bus.Queue.ServeOnly(ctx, manifest.Round); err != nil {
			return outcome.Result{}, fmt.Errorf("serving round %s alone: %w", manifest.Round, err)
		}
		if err := s.startWorkers(ctx, manifest); err != nil {
			return outcome.Result{}, err
		}
	}
	if s.mirror, err = s.wire.Mirror(manifest.Mirror); err != nil { //nolint:contextcheck // its breaker is nobody's request
		return outcome.Result{}, err
	}
	s.onClose(func() error { s.mirror.Close(); return nil })
	return s.follow(ctx, manifest, work)
}

// prepare opens the servers and returns the round's manifest: a new one, or
// the one to resume. Inputs that are given as files are checked before
// anything is started.
func (s *session) prepare(ctx context.Context) (m job.Manifest, err error) {
	planned := s.options.resume == "" && s.options.world == ""
	if planned {
		if m, err = s.plan(s.options.files, s.options.mirror); err != nil {
			return m, err
		}
	}
	if err := s.openState(); err != nil {
		return m, err
	}
	if err := s.connect(ctx); err != nil {
		return m, err
	}
	if s.options.resume != "" {
		if m, err = s.toResume(ctx); err != nil {
			return m, err
		}
		s.planned, s.stored = m.Round, true
	}
	if s.options.world == "" {
		return m, nil
	}
	return s.simulate(ctx, m)
}

func (s *session) toResume(ctx context.Context) (job.Manifest, error) {
	name := s.options.resume
	if name == answer.Latest {
		var err error
		if name, err = lastPlanned(ctx, s.wire.Bus); err != nil {
			return job.Manifest{}, fmt.Errorf("--resume latest: %w", err)
		}
	}
	m, err := s.wire.Bus.Rounds.Manifest(ctx, name)
	switch {
	case jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound) && s.leftOf(ctx, name):
		return m, fmt.Errorf("round %s: %w: %w", name, round.ErrLost, err)
	case errors.Is(err, jobstream.ErrNotFound):
		rounds, listErr := s.wire.Bus.Rounds.List(ctx)
		if listErr != nil {
			return m, fmt.Errorf("listing the rounds: %w", listErr)
		}
		return m, command.Usage("there is no round %q; %s", name, answer.Listed(rounds))
	case err != nil:
		return m, fmt.Errorf("round %s: %w", name, err)
	}
	if err := s.sameMirror(m); err != nil {
		return m, err
	}
	return m, s.sameSettings(m)
}

// leftOf says whether anything is left of a round without its manifest.
func (s *session) leftOf(ctx context.Context, name string) bool {
	_, err := s.wire.Bus.Inventory(ctx, name)
	return err == nil
}

// sameSettings refuses to go on with a round under other settings than it was
// planned with, as far as any are given.
func (s *session) sameSettings(m job.Manifest) error {
	files := s.options.files
	if !s.flags.IsSet("unloadable") {
		files.unloadable = nil
	}
	in, err := files.read("", time.Time{})
	if err != nil {
		return err
	}
	given := round.Given{AsOf: in.AsOf, Unloadable: in.Unloadable}
	if files.registry != "" {
		given.Registry = &in.Registry
	}
	if files.miners != "" {
		given.Miners = &in.Miners
	}
	if files.weights != "" {
		given.Languages, given.Tokens = &in.Languages, &in.Tokens
	}
	return refuse(m, given)
}

// sameMirror refuses to go on with a round on another mirror than the one that
// it was planned for.
func (s *session) sameMirror(m job.Manifest) error {
	u, err := url.Parse(m.Mirror)
	if err != nil {
		return fmt.Errorf("the mirror of round %s: %w", m.Round, err)
	}
	simulated := net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case s.options.world != "" && !simulated:
		return command.Usage("--resume %s: the round was planned for %s, not for a simulated mirror: give --mirror %s",
			m.Round, m.Mirror, m.Mirror)
	case s.flags.IsSet("mirror") && s.options.mirror != m.Mirror:
		return command.Usage("--resume %s: the round was planned for %s, --mirror is %s", m.Round, m.Mirror, s.options.mirror)
	}
	return nil
}

// simulate starts the simulated mirror, for a resumed round where it was, and
// returns the round's manifest.
func (s *session) simulate(ctx context.Context, resumed job.Manifest) (job.Manifest, error) {
	address := ""
	if s.options.resume != "" {
		u, err := url.Parse(resumed.Mirror)
		if err != nil {
			return resumed, fmt.Errorf("the mirror of round %s: %w", resumed.Round, err)
		}
		address = u.Host
	}
	var err error
	if s.simulator, err = startSimulator(ctx, s.options.world, s.options.state, address, configOf(s.flags)...); err != nil {
		return resumed, err
	}
	s.onClose(func() error { return s.simulator.stop(stopGrace) })
	world, files := s.simulator.world, s.options.files
	files.miners, files.registry = world.Miners, world.Registry
	if s.options.resume != "" { // another world would give another round's answers
		in, err := files.read("", time.Time{})
		if err != nil {
			return resumed, err
		}
		return resumed, refuse(resumed, round.Given{Miners: &in.Miners, Registry: &in.Registry})
	}
	if files.asOf == "" {
		files.asOf = world.AsOf.Format(time.RFC3339Nano)
	}
	return s.plan(files, world.URL)
}

// plan reads and checks the inputs and names the round.
func (s *session) plan(files inputFiles, mirrorURL string) (job.Manifest, error) {
	now := time.Now()
	in, err := files.read(mirrorURL, now)
	if err != nil {
		return job.Manifest{}, err
	}
	return newRound(in, now)
}

// newRound is a round of these inputs under a new name; what is wrong with them is
// the caller's to mend.
func newRound(in round.Inputs, now time.Time) (job.Manifest, error) {
	id, err := newID(now)
	if err != nil {
		return job.Manifest{}, err
	}
	m, err := round.Plan(id, in, now)
	if errors.Is(err, round.ErrInput) {
		return m, command.UsageError{Err: err}
	}
	return m, err
}

// show prints the outcome: JSON for a program, a table for a person.
func (s *session) show(ctx context.Context, result outcome.Result) error {
	var stats *answer.Simulated
	if s.simulator != nil {
		v, err := s.simulator.stats(ctx)
		if err != nil {
			return err
		}
		stats = &v
	}
	if s.options.json {
		return printJSON(os.Stdout, answer.Outcome{Result: result, Simulated: stats})
	}
	if err := printResult(os.Stdout, result); err != nil {
		return err
	}
	if s.before.Revision > 0 && s.before.Revision < result.Revision {
		if err := (comparison{outcome.Compare(s.before, result)}).render(os.Stdout); err != nil {
			return err
		}
	}
	if stats != nil {
		if err := printSimulated(os.Stdout, *stats); err != nil {
			return err
		}
	}
	if s.options.local {
		printNext(os.Stdout, os.Args[0], s.options.state, result)
	}
	return nil
}
