package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/schedule"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// ServeConfig is how rounds are served.
type ServeConfig struct {
	Schedule schedule.Schedule
	// Overdue is how long a round may take. Keep is how long rounds are kept. 0 sets no
	// limit.
	Overdue, Keep time.Duration
	// WarmUp is how long before a turn its files are fetched ahead, 0 for never, and
	// WarmUpShare the part of the limit that this takes.
	WarmUp      time.Duration
	WarmUpShare float64
	// Tokens and Metagraph are the files that say which miners are scored. An export of
	// the metagraph that is older than MetagraphMaxAge postpones the round.
	Tokens, Metagraph string
	MetagraphMaxAge   time.Duration
	// GitHub is the base URL of its API.
	GitHub string
}

// Orders are what the API can order of this process.
type Orders struct {
	Replay Replayer
	// Cancel waits until an order to cancel is carried out, or carries it out.
	Cancel func(ctx context.Context, c round.Cancelled) error
}

// Replayer runs failed miners of a concluded round again.
type Replayer = func(ctx context.Context, name string, s outcome.Selection) (outcome.Result, outcome.Replayed, error)

// Serve opens the servers, then serves the API and leads or stands by, until ctx ends or
// one of these fails.
func (s *Session) Serve(ctx context.Context, cfg ServeConfig) error {
	served, keeper, err := s.startServing(ctx, cfg)
	if err != nil {
		return err
	}
	return usageOfEgress(s.attended(ctx, func(ctx context.Context) error { return served.lead(ctx, keeper) }))
}

// startServing opens the servers and starts the API.
func (s *Session) startServing(ctx context.Context, cfg ServeConfig) (*served, *schedule.Keeper, error) {
	if err := s.open(ctx); err != nil {
		return nil, nil, err
	}
	served, err := s.newServed(cfg)
	if err != nil {
		return nil, nil, err
	}
	keeper := schedule.New(schedule.Config{
		Schedule: cfg.Schedule,
		Overdue:  cfg.Overdue,
		WarmUp:   cfg.WarmUp,
		Log:      s.cfg.Log,
	})
	if err := s.openToOrders(ctx, served); err != nil {
		return nil, nil, err
	}
	s.cfg.Observability.Set("inputs", func(context.Context) error { return keeper.Trouble() })
	unobserve := telemetry.ObservePostponed(postponingInputs, func() string { return postponedBy(keeper.Trouble()) })
	s.onClose(func() error { unobserve(); return nil })
	s.observeSchedule(keeper)
	stop := s.showSigns(ctx, "", keeper.Trouble)
	s.onClose(func() error { stop(); return nil })
	return served, keeper, nil
}

// openToOrders starts the API, if there is one. The order of closers matters: the API closes
// before the mirrors' clients that its replays use.
func (s *Session) openToOrders(ctx context.Context, served *served) error {
	s.onClose(s.closeMirrors)
	if s.cfg.StartAPI == nil {
		return nil
	}
	stop, err := s.cfg.StartAPI(ctx, s.fleet, Orders{Replay: served.replay, Cancel: served.cancel})
	if err != nil {
		return err
	}
	s.onClose(stop)
	return nil
}

// attended does the work until it ends, or until what a local session has started is lost.
func (s *Session) attended(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.watchLocal(ctx) })
	group.Go(func() error {
		defer cancel()
		return work(ctx)
	})
	return group.Wait() // the work's own error
}

// UnderWay says how the rounds stand that a signal has interrupted, and whether this
// producer led the schedule. It asks NATS, so it must come before Close.
func (s *Session) UnderWay(ctx context.Context, now time.Time) (rounds []view.Leftover, led bool) {
	names, led := s.under.left()
	for _, name := range names {
		rounds = append(rounds, view.LeftoverOf(ctx, s.fleet.Bus, name, s.name, false, now))
	}
	return rounds, led
}

// open connects to the servers. A local installation starts them, and the workers.
func (s *Session) open(ctx context.Context) error {
	if err := s.openState(); err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	if s.cfg.Local {
		return s.startWorkers(ctx, s.cfg.Mirror)
	}
	return nil
}

// newServed returns the rounds of this installation. They share one client of GitHub.
func (s *Session) newServed(cfg ServeConfig) (*served, error) {
	github, err := miners.NewGitHub(miners.Config{BaseURL: cfg.GitHub, Log: s.cfg.Log})
	if err != nil {
		return nil, command.Usage("--github: %w", err)
	}
	s.onClose(func() error { github.Close(); return nil })
	source := &miners.Source{
		Tokens:    cfg.Tokens,
		Metagraph: cfg.Metagraph,
		MaxAge:    cfg.MetagraphMaxAge,
		GitHub:    github,
		Bus:       s.fleet.Bus,
		Log:       s.cfg.Log,
	}
	config := s.roundConfig()
	config.Identify = source.Identify
	return &served{
		session: s,
		keep:    cfg.Keep,
		share:   cfg.WarmUpShare,
		alone:   make(chan struct{}, 1),
		source:  source,
		recent:  &recent{},
		config:  config,
	}, nil
}

// lead runs the schedule while this producer leads, and stands by otherwise. The name of
// a dead predecessor is passed on to the rounds: its leadership of a round is taken over
// at once too.
func (v *served) lead(ctx context.Context, keeper *schedule.Keeper) error {
	err := leadership.Lead(ctx, v.config.Leadership(), job.Schedule, func(ctx context.Context, follows string) error {
		v.session.cfg.Log.InfoContext(ctx, "leading: this producer begins the rounds", "producer", v.config.Name, "follows", follows)
		leading := *v
		leading.config.Predecessor = follows
		v.recent.orders = jobstream.Orders{Steering: v.config.Bus.Steering} // somebody may have given orders meanwhile
		v.session.under.lead(true)
		v.countFellOut(ctx)
		err := keeper.Run(ctx, &leading)
		if errors.Is(context.Cause(ctx), leadership.ErrLost) {
			v.session.under.lead(false)
			telemetry.MinersFellOut(ctx, 0) // the next leader tells
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("serving rounds: %w", err)
	}
	return nil
}
