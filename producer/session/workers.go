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

// stopGrace is how long a child process has to end before it is killed. Local workers get
// localGrace for their jobs; the rest is for what they do after that, such as handing jobs
// back to a NATS that is slow.
const stopGrace = 25 * time.Second

// Beside returns the path of another command of the product, installed next to this one.
// If this one's path is unknown, it is looked for in PATH.
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
	env   []string // settings with secrets: other users can read the arguments
	args  []string
	log   *slog.Logger

	mu      sync.Mutex
	running map[string]*process
	deaths  deaths
	stopped bool
	wait    sync.WaitGroup
	// lost receives the reason when workers keep dying. It has room for one.
	lost chan error
}

// startWorkers starts the workers and waits until each can take jobs. All of them start
// side by side. A worker that fails before that, with a wrong flag for instance, fails the
// session; only later deaths are replaced (keep).
func startWorkers(ctx context.Context, log *slog.Logger, state string, count int, env []string, args ...string) (*workers, error) {
	w := &workers{
		state:   state,
		env:     env,
		args:    args,
		log:     log,
		running: map[string]*process{},
		deaths:  deaths{workers: count},
		lost:    make(chan error, 1),
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

// start starts one worker, unless all are being stopped: a replacement that was started
// after stop has listed the processes would not be stopped.
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

// progressed notes how many jobs have ended. A nil receiver is a session without local
// workers.
func (w *workers) progressed(ended int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaths.ended(ended)
}

// keep replaces a worker whenever it dies, until the workers are stopped or another start
// would not help (deaths).
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

// giveUp reports the first reason why workers cannot be kept alive.
func (w *workers) giveUp(err error) {
	select {
	case w.lost <- err:
	default: // another worker's reason is reported already
	}
}

// stop ends all workers side by side and waits for each, and for the goroutines that keep
// them.
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

// usageOf makes an error of this command's usage of a child that has exited with the code
// of wrong usage: its flags are this command's.
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

// joinStop stops a process because of err, and returns both errors.
func joinStop(err error, p *process) error { return errors.Join(err, p.stop(stopGrace)) }
