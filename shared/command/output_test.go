package command_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/must"
)

// printing prints to both outputs once its standard input has ended, and goes on
// after an error of the second one.
func printing(context.Context, *cli.Command) error {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stderr, "a line of the log"); err != nil {
		fmt.Fprintln(os.NewFile(3, "witness"), "going on after:", err)
	}
	_, err := fmt.Fprintln(os.Stdout, "an answer")
	return fmt.Errorf("printing: %w", err)
}

// An output that nobody reads any more does not end the process by a signal: what
// it does goes on, and a command that can only print ends as any other in a pipe,
// without a word.
func TestAClosedOutputEndsNoWork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		log    bool // its other output is closed, too
		stderr string
	}{
		"standard output":        {false, "a line of the log\n"},
		"standard error with it": {true, ""},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "SIGNALS_TEST=prints")
		stdin := must.Get(cmd.StdinPipe())(t)
		witness, told, err := os.Pipe()
		must.Do(t, err)
		cmd.ExtraFiles = []*os.File{told}
		r, w, err := os.Pipe()
		must.Do(t, err)
		var stderr strings.Builder
		cmd.Stdout, cmd.Stderr = w, &stderr
		if c.log {
			cmd.Stderr = w
		}
		must.Do(t, cmd.Start())
		for _, closed := range []io.Closer{w, r, told, stdin} {
			must.Do(t, closed.Close())
		}
		_ = cmd.Wait() // the code says it
		if got := cmd.ProcessState.ExitCode(); got != command.ExitClosed || stderr.String() != c.stderr {
			t.Errorf("%s: exit %d (%s), %q; want %d, and %q alone", name, got, cmd.ProcessState, stderr.String(), command.ExitClosed, c.stderr)
		}
		if text := string(must.Get(io.ReadAll(witness))(t)); c.log && !strings.HasPrefix(text, "going on after:") {
			t.Errorf("%s: it did not go on: %q", name, text)
		}
	}
}
