package session

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/ratelimit"
)

// follow runs work, and shows the round meanwhile. The mirror must answer first, so that
// a wrong address ends the round before a job is published. That request takes a permit,
// which may be long in coming: the display is already running then, and shows why.
func (s *Session) follow(
	ctx context.Context, m job.Manifest, work func(context.Context, *round.Runner) (outcome.Result, error),
) (outcome.Result, error) {
	client, err := s.mirrorOf(m.Mirror) //nolint:contextcheck // its breaker is nobody's request
	if err != nil {
		return outcome.Result{}, err
	}
	w := view.NewWatch(m.Round, s.bucket, s.fleet.Bus.Standing)
	config := s.roundConfig()
	config.Mirror = client
	config.Traced = s.cfg.Traced
	stop := func() {}
	defer func() { stop() }()
	show := sync.OnceFunc(func() { stop = s.showSigns(ctx, m.Round, func() error { return nil }) })
	config.Seen = func(sight round.Sight) {
		if w.See(sight); sight.StandsBy != "" {
			show()
		}
	}
	config.Progress = func(p round.Progress) {
		s.stored = true
		s.workers.progressed(p.Done + p.Failed)
		w.Update(p)
	}
	if s.source != nil {
		config.Identify = s.source.Identify
	}
	runner, err := round.New(config)
	if err != nil {
		return outcome.Result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	var result outcome.Result
	if s.cfg.Watch != nil {
		group.Go(func() error { s.cfg.Watch(ctx, w); return nil })
	}
	group.Go(func() error { return s.watchLocal(ctx) })
	group.Go(func() (err error) {
		defer cancel()
		if err = client.Health(ctx); err != nil {
			return fmt.Errorf("the mirror %s cannot be used: %w", m.Mirror, err)
		}
		result, err = work(ctx, runner)
		return err
	})
	return result, group.Wait()
}

// bucket reads the state of the limit. The error says why no permit would be granted,
// even where the state can be read.
func (s *Session) bucket(ctx context.Context) (ratelimit.State, error) {
	state, err := s.fleet.Limiter.State(ctx)
	if err != nil {
		return state, ratelimit.Trouble(err)
	}
	return state, s.fleet.Limiter.Check(ctx)
}

// watchLocal returns an error, which ends the round, when the local servers are lost or
// the workers keep dying. A session that is not local has nothing to watch: its servers
// and workers may come back.
func (s *Session) watchLocal(ctx context.Context) error {
	if s.workers == nil {
		return nil
	}
	select {
	case err := <-s.local.Lost():
		return err
	case err := <-s.workers.lost:
		return err
	case <-ctx.Done():
		return nil
	}
}
