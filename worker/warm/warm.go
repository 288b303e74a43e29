package warm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/pause"
	"mirrorfleet/shared/telemetry"
)

// Why the work on a warm-up ends before its miners do.
var (
	errJob   = errors.New("warm: a job has come")
	errEnded = errors.New("warm: the warm-up has ended")
)

// Config is the configuration of a Runner.
type Config struct {
	// Bus is the source of miners. Required.
	Bus *jobstream.Bus
	// Prepare is called before a warm-up's first miner, and after a miner that has failed. It
	// says why this process cannot work on the warm-up; nil if it can. Required.
	Prepare func(ctx context.Context, warmUp string) error
	// Warm works on one miner, and returns the number of pull requests whose files it has
	// fetched. It must return soon after ctx ends. Required.
	Warm func(ctx context.Context, up job.WarmUp, miner job.Warm) (fetched int, err error)
	// Miners is how many miners the process works on at once. Default: 4.
	Miners int
	// Look is the time between two looks for a warm-up. Watch is the time between two checks
	// whether the current one goes on. Defaults: 2 s and 1 s.
	Look, Watch time.Duration
	// Log receives failures. Default: slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Miners = cmp.Or(c.Miners, 4)
	c.Look = cmp.Or(c.Look, 2*time.Second)
	c.Watch = cmp.Or(c.Watch, time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

//nolint:staticcheck // each error begins with its field's name
func (c Config) validate() error {
	switch {
	case c.Bus == nil || c.Prepare == nil || c.Warm == nil:
		return errors.New("Bus, Prepare and Warm are required")
	case c.Miners < 1:
		return fmt.Errorf("Miners is %d, want at least 1", c.Miners)
	case c.Look < 0 || c.Watch < 0:
		return fmt.Errorf("Look is %s and Watch %s, want more than 0", c.Look, c.Watch)
	}
	return nil
}

// Runner works on warm-ups.
type Runner struct {
	cfg Config

	mu   sync.Mutex
	jobs int                     // of this process, now
	end  context.CancelCauseFunc // of the work on a warm-up; nil for none
}

// New checks cfg and returns a runner for one Run.
func New(cfg Config) (*Runner, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("warm: %w", err)
	}
	return &Runner{cfg: cfg}, nil
}

// Yield ends the work on a warm-up because this process has a job. No work begins before
// resume is called.
func (r *Runner) Yield() (resume func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs++
	if r.end != nil {
		r.end(errJob)
	}
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.jobs--
	})
}

// begin returns a context that ends when a job comes; false while the process has one.
func (r *Runner) begin(ctx context.Context) (context.Context, context.CancelCauseFunc, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.jobs > 0 {
		return ctx, nil, false
	}
	ctx, end := context.WithCancelCause(ctx)
	r.end = end
	return ctx, end, true
}

// Run works on warm-ups until ctx ends.
func (r *Runner) Run(ctx context.Context) {
	told := ""
	for ctx.Err() == nil {
		err := r.look(ctx)
		if err != nil && ctx.Err() == nil && err.Error() != told {
			told = err.Error()
			r.cfg.Log.WarnContext(ctx, "this worker takes no part in warm-ups for now", "error", err)
		} else if err == nil {
			told = ""
		}
		_ = pause.For(ctx, r.cfg.Look)
	}
}

// look works on the current warm-up until it has no more miners. It does nothing if there is
// no warm-up, or if this process has a job.
func (r *Runner) look(ctx context.Context) error {
	ctx, end, free := r.begin(ctx)
	if !free {
		return nil
	}
	defer end(nil)
	up, err := r.underWay(ctx)
	if err != nil || up.ID == "" {
		return r.unlessJob(ctx, err)
	}
	if err := r.cfg.Prepare(ctx, up.ID); err != nil {
		return r.unlessJob(ctx, fmt.Errorf("warm-up %s: %w", up.ID, err))
	}
	var miners, watch sync.WaitGroup
	watch.Go(func() { end(r.watch(ctx, up.ID)) })
	for range r.cfg.Miners {
		miners.Go(func() {
			for r.next(ctx, up) {
				continue
			}
		})
	}
	miners.Wait()
	end(nil)
	watch.Wait()
	return nil
}

// unlessJob drops an error that a job caused.
func (r *Runner) unlessJob(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errJob) {
		return nil
	}
	return err
}

// underWay is the warm-up to work on now. It has no ID if there is none, or while there are
// jobs in the fleet.
func (r *Runner) underWay(ctx context.Context) (job.WarmUp, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*r.cfg.Look, errors.New("the servers do not answer"))
	defer cancel()
	up, err := r.cfg.Bus.WarmUps.Last(ctx)
	if err != nil || !up.Live(time.Now()) {
		return job.WarmUp{}, err
	}
	jobs, err := r.cfg.Bus.Queue.ToCome(ctx)
	if err != nil || jobs > 0 {
		return job.WarmUp{}, err
	}
	return up, nil
}

// watch returns when work on the warm-up must end, or ctx has ended.
func (r *Runner) watch(ctx context.Context, id string) error {
	for pause.For(ctx, r.cfg.Watch) == nil {
		if up, err := r.underWay(ctx); err != nil || up.ID != id {
			return cmp.Or(err, errEnded) //nolint:wrapcheck // one of the two
		}
	}
	return context.Cause(ctx) //nolint:wrapcheck // the caller's own
}

// next works on one miner; false if there is none, or if work must end.
func (r *Runner) next(ctx context.Context, up job.WarmUp) bool {
	if ctx.Err() != nil {
		return false
	}
	got, err := r.cfg.Bus.WarmUps.Fetch(ctx, 1)
	if err != nil && ctx.Err() == nil {
		r.cfg.Log.WarnContext(ctx, "no miner of the warm-up can be had", "error", err)
	}
	fit := len(got) > 0
	for _, d := range got {
		fit = r.process(d.Context(ctx), up, d)
	}
	return fit
}

// process works on one delivery. It drops a miner of a former warm-up. It returns false if
// this worker cannot go on: the miner is then another's.
func (r *Runner) process(ctx context.Context, up job.WarmUp, d *jobstream.Delivery) bool {
	miner, err := d.Warm()
	if err != nil || miner.WarmUp != up.ID {
		r.cfg.Log.WarnContext(ctx, "a message is of no miner of the warm-up", "subject", d.Subject(), "warm_up", up.ID, "error", err)
		return true
	}
	ctx = telemetry.With(ctx, telemetry.WarmUp.String(up.ID), telemetry.MinerUID.Int(miner.UID))
	fetched, err := r.alive(ctx, d, func() (int, error) { return r.warm(ctx, up, miner) })
	outcome := telemetry.WarmDone
	switch {
	case ctx.Err() != nil, err != nil && r.cfg.Prepare(ctx, up.ID) != nil:
		outcome = telemetry.WarmDropped
	case err != nil:
		outcome = telemetry.WarmFailed
		r.cfg.Log.InfoContext(ctx, "a miner is not warmed up: the round fetches its files", "error", err)
	}
	telemetry.MinerWarmed(ctx, outcome, fetched)
	if outcome == telemetry.WarmDropped {
		return false
	}
	if err := d.Ack(ctx); err != nil && ctx.Err() == nil {
		r.cfg.Log.InfoContext(ctx, "a miner of the warm-up stays in the stream", "error", err)
	}
	return true
}

// alive sends signs of life while work runs. Without them, the miner would look like that of
// a dead worker.
func (r *Runner) alive(ctx context.Context, d *jobstream.Delivery, work func() (int, error)) (int, error) {
	ctx, stop := context.WithCancel(ctx)
	var beat sync.WaitGroup
	beat.Go(func() {
		for pause.For(ctx, jobstream.DefaultAckWait/job.SignsPerLease) == nil {
			_ = d.InProgress(ctx) // the next one comes soon, and nothing depends on it
		}
	})
	defer beat.Wait()
	defer stop()
	return work()
}

// warm calls Warm. A panic counts as an error.
func (r *Runner) warm(ctx context.Context, up job.WarmUp, miner job.Warm) (fetched int, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.cfg.Log.ErrorContext(ctx, "warming a miner up panicked", "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return r.cfg.Warm(ctx, up, miner)
}
