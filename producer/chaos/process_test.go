package chaos_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

// process is one of the fleet's, started and killed again and again.
type process struct {
	env  []string // beside this process's own
	name string
	make func() *exec.Cmd
	log  *os.File

	mu  sync.Mutex
	now *life
}

// life is a process from its start to its end.
type life struct {
	cmd    *exec.Cmd
	done   chan struct{}
	stdout bytes.Buffer
	// meant says that its end was: a disturbance, or the test's own end.
	meant bool
}

// newProcess is a process that is not started yet; what it says on standard
// error goes into a file that is shown when the test fails.
func newProcess(t *testing.T, dir, name string, args ...string) *process {
	t.Helper()
	log := must.Get(os.Create(filepath.Join(dir, name+".log")))(t)
	p := &process{name: name, log: log}
	p.make = func() *exec.Cmd {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(append(os.Environ(), "MIRRORFLEET_GRAMMARS="+fleettest.Grammars()), p.env...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}
	t.Cleanup(func() { p.kill(); log.Close() })
	return p
}

// start starts it anew.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &life{cmd: p.make(), done: make(chan struct{})}
	l.cmd.Stdout, l.cmd.Stderr = &l.stdout, p.log
	if err := l.cmd.Start(); err != nil {
		return err
	}
	p.now = l
	go func() {
		defer close(l.done)
		_ = l.cmd.Wait() // how it ended is in its state
	}()
	return nil
}

// signal sends a signal; one that ends the process is meant to.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now == nil {
		return
	}
	p.now.meant = p.now.meant || s == syscall.SIGKILL || s == syscall.SIGTERM
	_ = p.now.cmd.Process.Signal(s) // it may have ended by itself
}

// kill ends it at once, with its children, and waits for it.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	if l := p.life(); l != nil {
		<-l.done
	}
}

// life is the present one, or the last; nil before the first.
func (p *process) life() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// ended waits for the end of the process's present life, whatever follows it: its
// exit code, what it printed, and whether it was meant to end.
func (p *process) ended(ctx context.Context) (code int, stdout []byte, meant bool) {
	l := p.life()
	select {
	case <-l.done:
	case <-ctx.Done():
		return -1, nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return l.cmd.ProcessState.ExitCode(), l.stdout.Bytes(), l.meant
}

// until waits for a condition that another process brings about; false when
// the context ends before.
func until(ctx context.Context, met func() bool) bool {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !met() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

// within waits for d or the end of the context.
func within(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
