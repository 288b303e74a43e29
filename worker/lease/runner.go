package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/pause"
)

// Causes of an attempt's end from outside; a handler finds them by
// context.Cause.
var (
	// ErrLeaseLost says that another worker may run the job by now.
	ErrLeaseLost = errors.New("lease: lost")
	// ErrDrained says that this worker stops and hands the job back.
	ErrDrained = errors.New("lease: the worker is stopping, job handed back")
)

// ErrUnfit marks a handler's error that is the worker's fault, not the job's: the worker was
// started for something else. The job is handed back, the worker drains, and Run returns the
// error.
var ErrUnfit = errors.New("lease: this worker cannot do the job, another may")

// Runner pulls and runs jobs.
type Runner struct {
	cfg     Config
	stopNow chan struct{} // closed by StopNow
	once    sync.Once
	quit    context.CancelCauseFunc // ends the pulling; Run sets it

	slots  chan struct{}            // a token for each free slot
	taken  chan *jobstream.Delivery // never more deliveries than slots that were taken
	work   sync.WaitGroup
	pulled chan struct{} // closed after the last pull has ended
}

// New checks cfg and returns a runner for one Run.
func New(cfg Config) (*Runner, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	r := &Runner{
		cfg:     cfg,
		stopNow: make(chan struct{}),
		pulled:  make(chan struct{}),
		slots:   make(chan struct{}, cfg.Slots),
		taken:   make(chan *jobstream.Delivery, cfg.Slots),
	}
	for range cfg.Slots {
		r.slots <- struct{}{}
	}
	return r, nil
}

// Run pulls and runs jobs until ctx ends. Then it drains: it pulls no more, lets running
// jobs go on for the grace time, and hands the rest back. It returns when all slots have
// settled. The error is nil after a drain; otherwise jobs cannot be pulled any more, or this
// worker is unfit for them.
func (r *Runner) Run(ctx context.Context) error {
	pulling, quit := context.WithCancelCause(ctx)
	defer quit(nil)
	r.quit = quit
	// Running jobs do not end with ctx: the drain ends them.
	running, endRunning := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endRunning(nil)

	var watch sync.WaitGroup
	finished := make(chan struct{})
	watch.Go(func() { r.drain(pulling, endRunning, finished) })

	for range r.cfg.Slots {
		r.work.Go(func() { r.serve(pulling, running) })
	}
	err := r.pull(pulling)
	close(r.pulled)
	close(r.taken)
	quit(nil)
	r.work.Wait()
	close(finished)
	watch.Wait()
	if unfit := context.Cause(pulling); err == nil && errors.Is(unfit, ErrUnfit) {
		return unfit //nolint:wrapcheck // the handler's own
	}
	return err
}

// StopNow ends the grace time: it hands every job back at once. A second signal calls it.
// Run returns when that is done.
func (r *Runner) StopNow() { r.once.Do(func() { close(r.stopNow) }) }

// drain ends running jobs when the grace time is over or StopNow is called.
func (r *Runner) drain(pulling context.Context, end context.CancelCauseFunc, finished <-chan struct{}) {
	select {
	case <-pulling.Done():
		r.cfg.Log.Info("draining: no more pulls", "grace", r.cfg.Grace)
	case <-r.stopNow:
	}
	r.quit(nil)
	grace := time.NewTimer(r.cfg.Grace)
	defer grace.Stop()
	select {
	case <-finished:
	case <-r.stopNow:
	case <-grace.C:
	}
	end(ErrDrained)
}

// pull gives deliveries to slots until ctx ends, or pulling fails for good.
func (r *Runner) pull(ctx context.Context) error {
	away := false
	for {
		n := r.take(ctx)
		if n == 0 || !r.open(ctx) {
			return nil
		}
		deliveries, err := r.cfg.Bus.Queue.Fetch(ctx, n, r.cfg.FetchWait)
		r.release(n - len(deliveries))
		for _, d := range deliveries {
			r.taken <- d // it never blocks: a slot was taken for each
		}
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the drain is no failure
		case err == nil:
			away = false
		case !jobstream.Away(err):
			return fmt.Errorf("pulling jobs: %w", err)
		case !away:
			away = true
			r.cfg.Log.WarnContext(ctx, "cannot pull jobs, waiting for NATS", "error", err)
			fallthrough
		default:
			_ = pause.For(ctx, r.cfg.FetchWait)
		}
	}
}

// serve is one slot. Its goroutine lives as long as the runner, so that its stack grows only
// once. A delivery that arrives after the drain has begun goes straight back: nobody has
// claimed it.
func (r *Runner) serve(pulling, running context.Context) {
	for d := range r.taken {
		if pulling.Err() == nil {
			r.process(running, d)
		} else {
			<-r.pulled // otherwise the current pull might get it again
			if err := d.Nak(context.WithoutCancel(running), r.cfg.HandBackDelay); err != nil {
				j, unreadable := d.Job()
				ctx := identified(d.Context(running), d, j, unreadable == nil)
				r.cfg.Log.WarnContext(ctx, "job not handed back, it comes again after the lease", "subject", d.Subject(), "error", err)
			}
		}
		r.release(1)
	}
}

// take waits for a free slot, and takes all free ones; 0 if ctx ends.
func (r *Runner) take(ctx context.Context) int {
	if ctx.Err() != nil {
		return 0
	}
	select {
	case <-ctx.Done():
		return 0
	case <-r.slots:
	}
	// All other free slots join the same pull.
	for n := 1; ; n++ {
		select {
		case <-r.slots:
		default:
			return n
		}
	}
}

// release returns slots. It never blocks, because no more are returned than were taken.
func (r *Runner) release(n int) {
	for range n {
		r.slots <- struct{}{}
	}
}

// open waits until the gate lets a pull through; false when ctx ends.
func (r *Runner) open(ctx context.Context) bool {
	for r.cfg.Gate != nil && ctx.Err() == nil {
		err := r.cfg.Gate(ctx)
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			r.cfg.Log.WarnContext(ctx, "not pulling", "error", err)
		}
		_ = pause.For(ctx, r.cfg.FetchWait)
	}
	return ctx.Err() == nil
}
