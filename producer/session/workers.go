package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/telemetry"
)

// stopGrace is how long a process beside this one has to end before it is
// killed: the workers' own grace time and a little more.
const stopGrace = 25 * time.Second

// Beside is a command of the product, installed next to this one.
func Beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// workers are the worker processes of a local round.
type workers struct {
	state string
	env   []string // what may hold a secret: everybody sees the arguments
	args  []string
	log   *slog.Logger

	mu      sync.Mutex
	running map[string]*process
	deaths  deaths
	stopped bool
	wait    sync.WaitGroup
	// lost is told when workers cannot be kept alive.
	lost chan error
}

// startWorkers starts the workers and waits until each can take jobs.
func startWorkers(ctx context.Context, log *slog.Logger, state string, count int, env []string, args ...string) (*workers, error) {
	w := &workers{
		state: state, env: env, args: args, log: log, running: map[string]*process{}, deaths: deaths{workers: count}, lost: make(chan error, 1),
	}
	for i := range count {
		if err := w.start(workerName(i)); err != nil {
			return nil, errors.Join(err, w.stop())
		}
	}
	for i := range count {
		p := w.running[workerName(i)]
		if _, err := p.awaitReady(ctx); err != nil {
			return nil, errors.Join(usageOf(p, err), w.stop())
		}
	}
	for i := range count {
		w.wait.Go(func() { w.keep(workerName(i)) }) //nolint:contextcheck // it ends by stop alone
	}
	return w, nil
}

func workerName(i int) string { return "worker-" + strconv.Itoa(i+1) }

func (w *workers) start(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return context.Canceled
	}
	args := append([]string{"--name", name, "--exit-with-stdin"}, w.args...)
	p, err := startProcess(name, filepath.Join(w.state, name+".log"), Beside("worker"), w.env, args...)
	if err != nil {
		return err
	}
	w.running[name] = p
	return nil
}

// progressed tells how many jobs have ended; nil workers hear nothing.
func (w *workers) progressed(ended int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaths.ended(ended)
}

// keep replaces a worker that died, until the fleet is stopped or another start
// would not help.
func (w *workers) keep(name string) {
	for {
		w.mu.Lock()
		p := w.running[name]
		w.mu.Unlock()
		telemetry.WorkersChanged(context.Background(), 1)
		<-p.done
		telemetry.WorkersChanged(context.Background(), -1)
		w.mu.Lock()
		stopped := w.stopped
		hopeless := w.deaths.another(p.wasReady)
		w.mu.Unlock()
		if stopped {
			return
		}
		w.log.Warn("a worker died", "worker", name, "error", p.failure())
		if hopeless != "" {
			w.giveUp(fmt.Errorf("%s, the last one: %w", hopeless, p.failure()))
			return
		}
		if err := w.start(name); err != nil {
			w.giveUp(err)
			return
		}
	}
}

func (w *workers) giveUp(err error) {
	select {
	case w.lost <- err:
	default: // the first reason is enough
	}
}

// stop ends all workers at once and waits for each.
func (w *workers) stop() error {
	w.mu.Lock()
	w.stopped = true
	errs := make([]error, len(w.running))
	var stopping sync.WaitGroup
	i := 0
	for _, p := range w.running {
		at := i
		stopping.Go(func() { errs[at] = p.stop(stopGrace) })
		i++
	}
	w.mu.Unlock()
	stopping.Wait()
	w.wait.Wait()
	return errors.Join(errs...)
}

// usageOf makes wrong usage of a child wrong usage of this command.
func usageOf(p *process, err error) error {
	select {
	case <-p.done:
		if p.exitCode() == command.ExitUsage {
			return command.UsageError{Err: err}
		}
	default:
	}
	return err
}

// joinStop stops a process because of err.
func joinStop(err error, p *process) error { return errors.Join(err, p.stop(stopGrace)) }
