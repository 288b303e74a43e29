package round

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/telemetry"
)

// Config is what a Runner works with; nothing in it is closed here.
type Config struct {
	Bus *jobstream.Bus
	// Mirror answers the maintainers look-ups.
	Mirror *mirror.Client
	// Progress is called with each change, from one goroutine; may be nil.
	Progress func(Progress)
	// Traced is called with the id of the round's trace when there is one; may
	// be nil.
	Traced func(id string)
	Log    *slog.Logger
}

// Runner runs rounds.
type Runner struct {
	cfg   Config
	roots *roots
}

// New returns a Runner.
func New(cfg Config) (*Runner, error) {
	if cfg.Bus == nil || cfg.Mirror == nil {
		return nil, errors.New("round: Bus and Mirror are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Progress) {}
	}
	if cfg.Traced == nil {
		cfg.Traced = func(string) {}
	}
	return &Runner{cfg: cfg, roots: &roots{}}, nil
}

// Start writes a round's manifest and then runs the round. A round of that
// name must not exist.
func (r *Runner) Start(ctx context.Context, m job.Manifest) (Result, error) {
	ctx, m.Trace = telemetry.NewRound(ctx)
	if err := r.cfg.Bus.CreateManifest(ctx, m); err != nil {
		return Result{}, fmt.Errorf("writing the manifest of round %s: %w", m.Round, err)
	}
	return r.run(ctx, m)
}

// Resume goes on with a round that was planned before, by whomever. One that
// is concluded is returned as it is.
func (r *Runner) Resume(ctx context.Context, round string) (Result, error) {
	m, err := r.cfg.Bus.Manifest(ctx, round)
	if err != nil {
		return Result{}, fmt.Errorf("resuming round %s: %w", round, err)
	}
	data, err := r.cfg.Bus.Outcome(ctx, round, firstRevision)
	switch {
	case err == nil:
		return Decode(data)
	case !errors.Is(err, jobstream.ErrNotFound):
		return Result{}, fmt.Errorf("resuming round %s: %w", round, err)
	}
	return r.run(ctx, m)
}

func (r *Runner) run(ctx context.Context, m job.Manifest) (result Result, err error) {
	ctx, span := telemetry.StartRound(ctx, m.Round, m.Trace)
	began := time.Now()
	defer func() {
		r.roots.stop(m.Round)
		measured(ctx, began, result, err)
		telemetry.End(span, err)
	}()
	if id := telemetry.TraceID(ctx); span.IsRecording() {
		r.cfg.Traced(id)
	}
	if err := r.snapshot(ctx, m.Round); err != nil {
		return Result{}, fmt.Errorf("round %s: %w", m.Round, err)
	}
	jobs := Jobs(m)
	records, err := r.settleAll(ctx, m, jobs)
	if err != nil {
		return Result{}, fmt.Errorf("round %s: %w", m.Round, err)
	}
	result, err = r.conclude(ctx, m, records)
	if err != nil {
		return Result{}, fmt.Errorf("concluding round %s: %w", m.Round, err)
	}
	return result, nil
}

// snapshot keeps the stored evaluations as they are before the round.
func (r *Runner) snapshot(ctx context.Context, round string) error {
	stored, err := r.cfg.Bus.StoredEvaluations(ctx)
	if err != nil {
		return fmt.Errorf("reading the stored evaluations: %w", err)
	}
	return r.cfg.Bus.PutSnapshot(ctx, round, stored)
}

// settleAll publishes the jobs and waits until each has ended. The collector
// and the keeper of exhausted deliveries run beside the publisher, so that a
// job's end is seen from the first one on.
func (r *Runner) settleAll(ctx context.Context, m job.Manifest, jobs []job.Job) (tally, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	records := tally{}
	group.Go(func() error {
		defer cancel() // nothing is outstanding: the others may stop
		return r.collect(ctx, m.Round, len(jobs), records)
	})
	group.Go(func() error { return r.publish(ctx, jobs, m.PlannedAt) })
	group.Go(func() error {
		err := r.cfg.Bus.ConsumeExhausted(ctx, r.exhausted)
		if ctx.Err() == nil {
			return fmt.Errorf("reading the advisories of exhausted deliveries: %w", err)
		}
		return nil // it runs until the others are done
	})
	err := group.Wait()
	if records.ended(len(jobs)) {
		return records, nil
	}
	return nil, err
}
