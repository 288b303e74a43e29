package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/worker/evaluate"
	"mirrorfleet/worker/signs"
	"mirrorfleet/worker/warm"
)

// background meters the requests of warm-ups, each of which brings its share of the limit. All
// miners of a warm-up bring the same share, so it does not matter which of them stores it last.
// Nothing is sent before the first of them has stored it.
type background struct {
	atomic.Pointer[ratelimit.Background]
}

func (b *background) Permit(ctx context.Context) (time.Time, error) {
	return b.Load().Permit(ctx)
}

func (b *background) CoolDown(ctx context.Context, d time.Duration) error {
	return b.Load().CoolDown(ctx, d)
}

// newWarmer makes what works on warm-ups while there are no jobs, through a view of the
// process's one client.
func newWarmer(
	c *cli.Command, f *fleet.Fleet, client *mirror.Client, e *evaluate.Evaluator, shown *signs.Writer, log *slog.Logger,
) (*warm.Runner, error) {
	meter := &background{}
	view := client.Background(meter)
	return warm.New(warm.Config{
		Bus:     f.Bus,
		Log:     log,
		Miners:  c.Int("slots"),
		Prepare: e.Prepare,
		Warm: func(ctx context.Context, up job.WarmUp, miner job.Warm) (int, error) {
			share, err := f.Limiter.Background(up.Share)
			if err != nil {
				return 0, err
			}
			meter.Store(share)
			requests := new(atomic.Int64)
			ctx, end := shown.Begin(ctx, job.WorkerJob{Round: miner.WarmUp, UID: miner.UID, WarmUp: true}, requests)
			defer end()
			return e.Warm(mirror.WithCounter(ctx, requests), view, miner)
		},
	})
}

// startAside works on warm-ups until stop is called, which waits for the end.
func startAside(ctx context.Context, aside *warm.Runner) (stop func()) {
	ctx, end := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { aside.Run(ctx) })
	return func() { end(); work.Wait() }
}
