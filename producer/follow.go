package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/ratelimit"
)

// follow does the work with the display beside it, once the mirror has answered:
// that takes a permit, which may be long in coming.
func (s *session) follow(
	ctx context.Context, m job.Manifest, work func(context.Context, *round.Runner) (outcome.Result, error),
) (outcome.Result, error) {
	d := &display{out: s.screen, round: m.Round, limit: s.bucket, nats: s.wire.Bus.Standing}
	config := round.Config{
		Bus: s.wire.Bus, Name: s.name, Mirror: s.mirror, Egress: s.servers.Limit.Egress, Traced: s.tracing.begun, Log: s.log,
		SoleProducer: s.options.local,
		Progress: func(p round.Progress) {
			s.stored = true
			s.fleet.progressed(p.Done + p.Failed)
			d.update(p)
		},
		Seen:     d.see,
		Takeover: s.flags.Duration("takeover"), Reconcile: s.flags.Duration("reconcile"),
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
	group.Go(func() error { d.run(ctx); return nil })
	group.Go(func() error { return s.watchFleet(ctx) })
	group.Go(func() (err error) {
		defer cancel()
		if err = s.mirror.Health(ctx); err != nil {
			return fmt.Errorf("the mirror %s cannot be used: %w", m.Mirror, err)
		}
		result, err = work(ctx, runner)
		return err
	})
	return result, group.Wait()
}

// bucket is the state of the limit, and why no permit would be granted.
func (s *session) bucket(ctx context.Context) (ratelimit.State, error) {
	state, err := s.wire.Limiter.State(ctx)
	if err != nil {
		return state, ratelimit.Trouble(err)
	}
	return state, s.wire.Limiter.Check(ctx)
}

// watchFleet ends the round when the local servers or workers cannot be kept alive.
func (s *session) watchFleet(ctx context.Context) error {
	if s.fleet == nil {
		return nil
	}
	select {
	case err := <-s.local.Lost():
		return err
	case err := <-s.fleet.lost:
		return err
	case <-ctx.Done():
		return nil
	}
}
