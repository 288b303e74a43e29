package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/pause"
)

// process is a process of the fleet. It is started again whenever it ends, until its context
// ends.
type process struct {
	name string
	args []string
	// env is added to this process's own environment.
	env []string
	// page answers 200 when the process is ready; "" if nothing asks it.
	page string

	dir string // has log/ and run/

	// began is when it was first started, took how long it needed until it was ready.
	began time.Time
	took  time.Duration
}

// refused is the exit code of wrong usage. Another start would end in the same way.
const refused = 2

// kill is how long a process may take to end after SIGTERM. A worker's drain is shorter here
// (drain), so only one that hangs is killed.
const kill = 15 * time.Second

// run starts the process again whenever it ends, until ctx ends. It holds a thread of its own:
// Linux kills the child when the thread that started it is gone.
func (p *process) run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("the log of %s: %w", p.name, err)
	}
	defer log.Close() // everything in it was written by the process
	for ctx.Err() == nil {
		if err := p.live(ctx, log); err != nil {
			return err
		}
		// A process that ends at once, because its server is away, must not fill the log.
		if pause.For(ctx, 300*time.Millisecond) != nil {
			break
		}
	}
	return nil
}

// live runs the process once. It returns an error if another start would not help.
func (p *process) live(ctx context.Context, log *os.File) error {
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Dir = p.dir
	cmd.Stdout = log
	cmd.Stderr = log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = kill
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	pid := filepath.Join(p.dir, "run", p.name+".pid")
	err := errors.Join(os.WriteFile(pid, []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o600),
		os.WriteFile(filepath.Join(p.dir, "run", p.name+".url"), []byte(p.page+"\n"), 0o600))
	_ = cmd.Wait() // how it ended is in its state
	if err != nil {
		return fmt.Errorf("the process id of %s: %w", p.name, err)
	}
	_ = os.Remove(pid)
	if ctx.Err() == nil && cmd.ProcessState.ExitCode() == refused {
		return fmt.Errorf("%s was refused (exit code %d): %s", p.name, refused, p.lastWords())
	}
	return nil
}

// await asks the process's page until it is ready.
func (p *process) await(ctx context.Context) error {
	if p.page == "" {
		return nil
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.page, nil)
		if err != nil {
			return fmt.Errorf("asking %s: %w", p.name, err)
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				p.took = time.Since(p.began)
				return nil
			}
		}
		if pause.For(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("%s is not ready: %w: %s", p.name, context.Cause(ctx), p.lastWords())
		}
	}
}

func (p *process) log() string { return filepath.Join(p.dir, "log", p.name+".log") }

// lastWords are the last lines of the log.
func (p *process) lastWords() string {
	data, err := os.ReadFile(p.log())
	if err != nil {
		return err.Error()
	}
	const enough = 1000
	return string(data[max(0, len(data)-enough):])
}

// group runs processes that end together.
type group struct {
	end   context.CancelFunc
	ended sync.WaitGroup
	mu    sync.Mutex
	errs  []error
}

// start runs processes in a group of their own. An error of one of them cancels the fleet.
func start(fail context.CancelCauseFunc, processes []*process) *group {
	ctx, end := context.WithCancel(context.Background())
	g := &group{end: end}
	for _, p := range processes {
		p.began = time.Now()
		g.ended.Go(func() {
			if err := p.run(ctx); err != nil {
				g.mu.Lock()
				g.errs = append(g.errs, err)
				g.mu.Unlock()
				fail(err)
			}
		})
	}
	return g
}

// stop ends them, and waits.
func (g *group) stop() error {
	g.end()
	g.ended.Wait()
	return errors.Join(g.errs...)
}

// ready waits until all processes are ready.
func ready(ctx context.Context, processes []*process) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range processes {
		group.Go(func() error { return p.await(ctx) })
	}
	return group.Wait()
}
