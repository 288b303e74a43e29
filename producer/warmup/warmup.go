package warmup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/schedule"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/pause"
	"mirrorfleet/shared/telemetry"
)

// Config is one warm-up.
type Config struct {
	// Bus is where its miners go. Required.
	Bus *jobstream.Bus
	// Inputs are the coming round's inputs, its miners included. The manifest's name becomes
	// the warm-up's.
	Inputs job.Manifest
	// Turn is the instant of the schedule for which the warm-up prepares; zero for one that
	// was started by hand.
	Turn time.Time
	// Until is when the warm-up ends at the latest.
	Until time.Time
	// Share is the largest part of each egress's limit that the warm-up uses: more than 0,
	// at most 1.
	Share float64
	// Progress, if set, is called once a second with the number of miners that are left.
	Progress func(left, miners int)
	// Watch is the time between two checks whether the warm-up must end. Default: 1 s.
	Watch time.Duration
	// Log receives the beginning and the end. Default: slog.Default().
	Log *slog.Logger
}

func (cfg Config) withDefaults() Config {
	cfg.Watch = cmp.Or(cfg.Watch, time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Progress == nil {
		cfg.Progress = func(int, int) {}
	}
	return cfg
}

//nolint:staticcheck // each error begins with its field's name
func (cfg Config) validate() error {
	switch {
	case cfg.Bus == nil:
		return errors.New("Bus is nil, want an open one")
	case cfg.Share <= 0 || cfg.Share > 1:
		return fmt.Errorf("Share is %g, want more than 0, at most 1", cfg.Share)
	case cfg.Watch < 0:
		return fmt.Errorf("Watch is %s, want more than 0", cfg.Watch)
	}
	return nil
}

// endTime bounds the end of a warm-up, because a turn waits for it.
const endTime = 5 * time.Second

// atOnce is how many miners are published concurrently.
const atOnce = 16

// Run makes one warm-up, and returns its final state. The state has no ID if the warm-up
// never began, because a round ran until ctx ended.
func Run(ctx context.Context, cfg Config) (_ job.WarmUp, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return job.WarmUp{}, fmt.Errorf("warmup: %w", err)
	}
	ctx, cancel := context.WithDeadline(ctx, cfg.Until)
	defer cancel()
	if !cfg.noRound(ctx) {
		return job.WarmUp{}, nil
	}
	up := job.WarmUp{
		ID:    cfg.Inputs.Round,
		Turn:  cfg.Turn,
		Begun: time.Now().UTC(),
		Until: cfg.Until.UTC(),
		Share: cfg.Share,
	}
	miners := listed(cfg.Inputs)
	up.Miners = len(miners)
	ctx = telemetry.With(ctx, telemetry.WarmUp.String(up.ID))
	ctx, span := telemetry.Tracer().Start(ctx, telemetry.SpanWarmUp, trace.WithNewRoot()) //nolint:spancheck // telemetry.End ends it
	defer func() { telemetry.End(span, err) }()
	if err := cfg.Bus.WarmUps.Begin(ctx, up, cfg.Inputs); err != nil {
		return job.WarmUp{}, err //nolint:spancheck // as above
	}
	cfg.Log.InfoContext(ctx, "a warm-up has begun", "warm_up", up.ID, "turn", up.Turn, "until", up.Until,
		"miners", up.Miners, "share", up.Share)
	why, err := cfg.follow(ctx, up, miners)
	ending, ended := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer ended()
	last, endErr := cfg.Bus.WarmUps.End(ending, up.ID, why, time.Now())
	if err = errors.Join(err, endErr); err != nil {
		return up, fmt.Errorf("warm-up %s: %w", up.ID, err)
	}
	if last.ID != up.ID {
		last = up
		last.Why = job.WarmUpReplaced
	}
	cfg.Log.InfoContext(ctx, "the warm-up has ended", "warm_up", up.ID, "why", last.Why, "miners", last.Miners,
		"done", last.Miners-last.Left, "took", time.Since(up.Begun))
	return last, nil
}

// listed are the miners whose pull requests the round will list.
func listed(m job.Manifest) (miners []job.Warm) {
	for _, j := range m.Jobs() {
		if !j.IssuesOnly {
			miners = append(miners, job.Warm{WarmUp: m.Round, UID: j.UID, GitHubID: j.GitHubID})
		}
	}
	return miners
}

// noRound waits until no worker has, or is still to get, a job of a round; false if ctx ends
// first.
func (cfg Config) noRound(ctx context.Context) bool {
	for told := false; ; {
		jobs, err := cfg.Bus.Queue.ToCome(ctx)
		if err == nil && jobs == 0 {
			return ctx.Err() == nil
		}
		if !told && ctx.Err() == nil {
			told = true
			cfg.Log.InfoContext(ctx, "the warm-up waits for the end of a round", "jobs", jobs, "error", err)
		}
		if pause.For(ctx, cfg.Watch) != nil {
			return false
		}
	}
}

// follow publishes the miners, waits until the warm-up must end, and returns why.
func (cfg Config) follow(ctx context.Context, up job.WarmUp, miners []job.Warm) (why string, err error) {
	publishing, stop := context.WithCancel(ctx)
	published := make(chan error, 1)
	var work sync.WaitGroup
	work.Go(func() { published <- cfg.publish(publishing, miners) })
	defer work.Wait()
	defer stop()
	for all := false; ; {
		select {
		case <-ctx.Done():
			return cfg.stopped(ctx), nil
		case err := <-published:
			if err != nil && ctx.Err() == nil {
				return job.WarmUpFailed, err
			}
			all = true
			continue
		case <-time.After(cfg.Watch):
		}
		if why := cfg.over(ctx, up, all); why != "" && ctx.Err() == nil {
			return why, nil
		}
	}
}

// stopped says why the context has ended.
func (cfg Config) stopped(ctx context.Context) string {
	cause := context.Cause(ctx)
	switch late := errors.Is(cause, context.DeadlineExceeded); {
	case errors.Is(cause, schedule.ErrTurn), late && !cfg.Turn.IsZero():
		return job.WarmUpTurn
	case errors.Is(cause, schedule.ErrPaused):
		return job.WarmUpPaused
	case late:
		return job.WarmUpOver
	}
	return job.WarmUpStopped
}

func (cfg Config) publish(ctx context.Context, miners []job.Warm) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, miner := range miners {
		group.Go(func() error { return cfg.Bus.WarmUps.Publish(ctx, miner) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("publishing the miners: %w", err)
	}
	return nil
}

// over says why the warm-up must end; "" if it goes on, or if the servers cannot tell.
func (cfg Config) over(ctx context.Context, up job.WarmUp, published bool) string {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	last, err := cfg.Bus.WarmUps.Last(ctx)
	if err != nil {
		return ""
	}
	if last.ID != up.ID {
		return job.WarmUpReplaced
	}
	if !last.Ended.IsZero() {
		return last.Why
	}
	if jobs, err := cfg.Bus.Queue.ToCome(ctx); err == nil && jobs > 0 {
		return job.WarmUpRound
	}
	left, err := cfg.Bus.WarmUps.Left(ctx)
	if err != nil {
		return ""
	}
	if published {
		cfg.Progress(left, up.Miners)
	}
	if toCome, err := cfg.Bus.WarmUps.ToCome(ctx); err == nil && published && toCome == 0 {
		return job.WarmUpDone
	}
	return ""
}
