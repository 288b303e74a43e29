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

// process is a child that does not outlive this process. It holds the read end of a pipe
// as its standard input, and ends when that is closed: the kernel closes the pipe even if
// this process is killed. The child is in a process group of its own, so that Ctrl-C
// reaches only this process, which then stops the child in order.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	log   *os.File
	// ready receives the first line of standard output and is then closed.
	ready chan string
	// wasReady says that there was a first line. It may be read after done is closed.
	wasReady bool
	// done is closed when the child has ended. err may be read after that; it is nil for
	// exit code 0.
	done chan struct{}
	err  error
}

// startProcess starts a child with this process's environment and env. Its standard error
// is appended to the log file, which only its owner can read.
func startProcess(name, logPath, path string, env []string, args ...string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	p := &process{
		name:  name,
		log:   log,
		ready: make(chan string, 1),
		done:  make(chan struct{}),
	}
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

// watch owns the child until it has ended. It reads standard output to its end before it
// waits for the child: Wait closes the pipe, and would cut off the rest.
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

// awaitReady waits for the child's first line, which says that it can do its work.
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

// failure says how the child ended, with the last line of its log. It may be called only
// after done is closed.
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

// lastLine returns the last line of a file; "" if the file cannot be read, because it
// only adds to another error.
func lastLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}
