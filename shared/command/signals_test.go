package command_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/must"
)

// TestMain is also the process that gets the signals: it tells what it sees of
// each and lingers until its standard input ends.
func TestMain(m *testing.M) {
	what := os.Getenv("SIGNALS_TEST")
	switch what {
	case "":
		os.Exit(m.Run())
	case "prints":
		os.Exit(command.Run(&cli.Command{Name: "app", Action: printing}, []string{"app"}, os.Stderr))
	}
	app := &cli.Command{Name: "app", Action: func(ctx context.Context, _ *cli.Command) error {
		if what == "hurries" {
			command.Hurry(ctx, func() { fmt.Fprintln(os.Stdout, "hurrying") })
		}
		fmt.Fprintln(os.Stdout, "ready")
		<-ctx.Done()
		fmt.Fprintln(os.Stdout, "ending")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}}
	os.Exit(command.Run(app, []string{"app"}, os.Stderr))
}

// signalled is a process whose lines are read one by one.
type signalled struct {
	*exec.Cmd

	stdin io.Closer
	lines *bufio.Reader
}

func signalling(t *testing.T, what string) *signalled {
	t.Helper()
	s := &signalled{Cmd: exec.CommandContext(t.Context(), os.Args[0])}
	s.Env = append(os.Environ(), "SIGNALS_TEST="+what)
	stdin, stdout := must.Get(s.StdinPipe())(t), must.Get(s.StdoutPipe())(t)
	must.Do(t, s.Start())
	s.stdin, s.lines = stdin, bufio.NewReader(stdout)
	s.says(t, "ready")
	return s
}

func (s *signalled) says(t *testing.T, want string) {
	t.Helper()
	if line, err := s.lines.ReadString('\n'); strings.TrimSpace(line) != want {
		t.Fatalf("the process says %q, %v, want %q", line, err, want)
	}
}

func (s *signalled) send(t *testing.T, sig syscall.Signal) {
	t.Helper()
	must.Do(t, s.Process.Signal(sig))
}

// killedBy waits for the end and says which signal it was, 0 for none.
func (s *signalled) killedBy(t *testing.T) syscall.Signal {
	t.Helper()
	_ = s.Wait() // a signal is no exit code 0
	status, ok := s.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		t.Fatalf("ended with %v", s.ProcessState)
	}
	if status.Signaled() {
		return status.Signal()
	}
	return 0
}

func TestTheSecondSignalEndsTheProcess(t *testing.T) {
	t.Parallel()
	s := signalling(t, "plain")
	s.send(t, syscall.SIGTERM)
	s.says(t, "ending")
	s.send(t, syscall.SIGTERM)
	if got := s.killedBy(t); got != syscall.SIGTERM {
		t.Errorf("killed by %v, want SIGTERM", got)
	}
}

func TestTheSecondSignalHurriesAndTheThirdEnds(t *testing.T) {
	t.Parallel()
	s := signalling(t, "hurries")
	s.send(t, syscall.SIGTERM)
	s.says(t, "ending")
	s.send(t, syscall.SIGINT)
	s.says(t, "hurrying")
	s.send(t, syscall.SIGINT)
	if got := s.killedBy(t); got != syscall.SIGINT {
		t.Errorf("killed by %v, want SIGINT", got)
	}
}

func TestACommandEndsByItselfAfterASignal(t *testing.T) {
	t.Parallel()
	s := signalling(t, "hurries")
	s.send(t, syscall.SIGTERM)
	s.says(t, "ending")
	must.Do(t, s.stdin.Close())
	if got := s.killedBy(t); got != 0 || s.ProcessState.ExitCode() != 0 {
		t.Errorf("killed by %v, exit %d, want its own end", got, s.ProcessState.ExitCode())
	}
}
