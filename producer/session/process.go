package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is a child that does not outlive this process: it ends when its
// standard input does, whatever happens here. It is its own process group, so
// that Ctrl-C reaches this process alone, which then stops it in order.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	log   *os.File
	// ready gets the first line of standard output and is then closed.
	ready chan string
	// wasReady says that there was one; it may be read when done is closed.
	wasReady bool
	// done is closed when the child has ended; err then says how.
	done chan struct{}
	err  error
}

// startProcess starts a child with more environment than this process's; its standard
// error goes to the log file.
func startProcess(name, logPath, path string, env []string, args ...string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	p := &process{name: name, log: log, ready: make(chan string, 1), done: make(chan struct{})}
	p.cmd = exec.Command(path, args...) //nolint:noctx // stop ends it in order: drain first, kill last
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	go p.watch(stdout)
	return p, nil
}

// watch owns the child until it has ended.
func (p *process) watch(stdout io.Reader) {
	defer close(p.done)
	lines := bufio.NewReader(stdout)
	if line, err := lines.ReadString('\n'); err == nil {
		p.wasReady = true
		p.ready <- strings.TrimSpace(line)
	}
	close(p.ready)
	_, copyErr := io.Copy(io.Discard, lines)
	p.err = errors.Join(p.cmd.Wait(), copyErr, p.log.Close())
}

// awaitReady waits for the child's first line: it can do its work.
func (p *process) awaitReady(ctx context.Context) (string, error) {
	select {
	case line, ok := <-p.ready:
		if ok {
			return line, nil
		}
		<-p.done
		return "", fmt.Errorf("%s ended before it was ready: %w", p.name, p.failure())
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for %s: %w", p.name, context.Cause(ctx))
	}
}

// failure is how the child ended, with the last line that it wrote.
func (p *process) failure() error {
	last := lastLine(p.log.Name())
	if last == "" {
		return p.err
	}
	return fmt.Errorf("%w: %s", p.err, last)
}

// exitCode is the child's exit code once it has ended.
func (p *process) exitCode() int { return p.cmd.ProcessState.ExitCode() }

// stop asks the child to end by closing its standard input, waits for at most
// the grace time, and then kills it. It returns when the child has ended.
func (p *process) stop(grace time.Duration) error {
	closeErr := p.stdin.Close()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	killErr := p.cmd.Process.Kill()
	<-p.done
	return errors.Join(fmt.Errorf("%s did not end within %s and was killed", p.name, grace), closeErr, killErr)
}

// lastLine is the last line of a file that says something; errors are not
// worth more than an empty answer here.
func lastLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}
