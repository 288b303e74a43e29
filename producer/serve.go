package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
	_ "time/tzdata" // --timezone works where the system has no zones

	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/schedule"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run scoring rounds on schedule, one producer active and others standing by",
		Description: "It runs until SIGTERM or SIGINT, and then leaves a round that is under way to whoever stands by, or to its\n" +
			"next start. Exit code 0 when it was stopped, 2 for wrong usage.\n\n" +
			"Examples:\n" +
			"  producer serve --nats nats://nats:4222 --redis redis://redis:6379/0 \\\n" +
			"      --tokens miner_pats.json --metagraph metagraph.json \\\n" +
			"      --registry master_repositories.json --api 127.0.0.1:8440\n" +
			"  producer serve --local --tokens miner_pats.json --metagraph metagraph.json \\\n" +
			"      --registry master_repositories.json --cron \"0 */2 * * *\"",
		Flags: slices.Concat(serveFlags(), only(slices.Concat(roundFlags(), localFlags()),
			"registry", "weights", "unloadable", "local", "state", "workers"),
			otherFlags(), signingFlags(), command.Servers(), command.Streams(), command.Mirror(), command.Limit(), egressFlags(),
			command.Seeing(), command.Listen(), apiFlags()),
		Action: serve,
	}
}

// serve is `producer serve`.
func serve(ctx context.Context, c *cli.Command) (err error) {
	o, err := readServeOptions(c, time.Now())
	if err != nil {
		return err
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	seeing, err := fleet.Observe(ctx, c, "producer", "", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, seeing.Close()) }()
	s := &session{options: o.options, flags: c, log: log, seeing: seeing, name: leadership.NewName()}
	defer func() { err = errors.Join(err, s.close()) }()
	under := &underWay{}
	if err := s.keepServing(ctx, o, under); err != nil && ctx.Err() == nil {
		return err
	}
	s.stopped(context.WithoutCancel(ctx), under)
	return nil
}

// stopped says how things stand when a signal has ended everything.
func (s *session) stopped(ctx context.Context, under *underWay) {
	rounds, led := under.left()
	if len(rounds) == 0 {
		s.log.InfoContext(ctx, idle(led))
	}
	for _, name := range rounds {
		s.log.InfoContext(ctx, leftoverOf(ctx, s.wire.Bus, name, s.name, false, time.Now()).afterServe(), "round", name)
	}
}

// keepServing opens the servers and does everything that goes on side by side
// until ctx ends, or one of it cannot go on.
func (s *session) keepServing(ctx context.Context, o serveOptions, under *underWay) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	served, err := s.newServed(o, under)
	if err != nil {
		return err
	}
	keeper := schedule.New(schedule.Config{Schedule: o.schedule, Overdue: o.overdue, Log: s.log})
	stop, err := startAPI(ctx, s.flags, s.wire, served.replay, s.log)
	if err != nil {
		return err
	}
	s.onClose(stop)
	s.seeing.Set("inputs", func(context.Context) error { return keeper.Trouble() })
	unobserve := telemetry.ObservePutOff(putOffInputs, func() string { return putOffBy(keeper.Trouble()) })
	s.onClose(func() error { unobserve(); return nil })

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.watchFleet(ctx) })
	group.Go(func() error { return served.lead(ctx, keeper) })
	return usageOfEgress(group.Wait())
}

// open connects to the servers, and starts them and workers for a local
// installation.
func (s *session) open(ctx context.Context) error {
	if err := s.openState(); err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	if s.options.local {
		return s.startWorkers(ctx, job.Manifest{Mirror: s.options.mirror})
	}
	return nil
}

// newServed is the rounds of this installation.
func (s *session) newServed(o serveOptions, under *underWay) (*served, error) {
	github, err := miners.NewGitHub(miners.Config{BaseURL: o.github, Log: s.log})
	if err != nil {
		return nil, command.Usage("--github: %w", err)
	}
	s.onClose(func() error { github.Close(); return nil })
	source := &miners.Source{
		Tokens: o.tokens, Metagraph: o.metagraph, MaxAge: o.metagraphMaxAge, GitHub: github, Bus: s.wire.Bus, Log: s.log,
	}
	return &served{
		session: s, options: o, alone: make(chan struct{}, 1), source: source, recent: &recent{}, under: under,
		config: round.Config{
			Bus: s.wire.Bus, Egress: s.servers.Limit.Egress, Name: s.name, Takeover: s.flags.Duration("takeover"),
			Reconcile: s.flags.Duration("reconcile"), SoleProducer: s.options.local, Identify: source.Identify, Log: s.log,
		},
	}, nil
}

// lead begins rounds while this producer leads; otherwise it stands by.
func (v *served) lead(ctx context.Context, keeper *schedule.Keeper) error {
	err := leadership.Lead(ctx, v.config.Leadership(), job.Schedule, func(ctx context.Context, follows string) error {
		v.session.log.InfoContext(ctx, "leading: rounds are begun by this producer", "producer", v.config.Name, "follows", follows)
		leading := *v
		leading.config.Predecessor = follows
		v.under.lead(true)
		err := keeper.Run(ctx, &leading)
		if errors.Is(context.Cause(ctx), leadership.ErrLost) {
			v.under.lead(false)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("serving rounds: %w", err)
	}
	return nil
}
