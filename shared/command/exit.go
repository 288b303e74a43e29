package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"slices"

	"mirrorfleet/shared/terminal"

	"github.com/urfave/cli/v3"
)

// The exit codes of every command.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 130 // 128 + SIGINT, as shells have it
	ExitClosed      = 141 // 128 + SIGPIPE: the reader of standard output has gone
)

// ErrInterrupted says that a signal ended the work.
var ErrInterrupted = errors.New("stopped by a signal")

// UsageError is wrong usage or input. The caller can correct it; trying again cannot.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

func (e UsageError) Unwrap() error { return e.Err }

// Usage makes a UsageError of a formatted message.
func Usage(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Code is the exit code for the error that a command returned; 0 for nil.
func Code(err error) int {
	var usage UsageError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &usage):
		return ExitUsage
	case errors.Is(err, ErrInterrupted):
		return ExitInterrupted
	case ClosedOutput(err):
		return ExitClosed
	}
	return ExitFailed
}

// Run runs a command with the process's arguments and returns the exit code. The first
// SIGINT or SIGTERM cancels the context. The second one ends the process at once, as
// without a handler, unless the command has set another effect (Hurry).
//
// An output that is closed early does not end the process. A command that only prints
// then ends silently, like any other command in a pipe.
//
// Run adds the parts that all commands share: --config, --version, completion, and
// usage errors for everything that fails before the command's own work begins.
func Run(cmd *cli.Command, args []string, stderr io.Writer) int {
	cmd.EnableShellCompletion = false // the product has its own
	cmd.Flags = append(cmd.Flags, configFlag(), versionFlag())
	cmd.Commands = append(cmd.Commands, completionCommand(cmd))
	stdout := cmp.Or[io.Writer](cmd.Writer, os.Stdout)
	if last := len(args) - 1; last > 0 && args[last] == completeWords {
		complete(context.Background(), cmd, args[1:last], stdout)
		return ExitDone
	}
	if asksVersion(cmd, args[1:]) {
		info, _ := debug.ReadBuildInfo()
		return tell(cmd.Name, printed(stdout, version(cmd.Name, info, told)+"\n"), stderr)
	}
	ctx, stop := withSignals(context.Background())
	defer stop()
	defer surviveClosedOutput()()
	helpPages(cmd, cmd, cmd.Name)
	begun := false
	strict(cmd, args, stderr, &begun)
	err := cmd.Run(ctx, args)
	if err != nil && !begun && Code(err) != ExitUsage { // a variable whose value the library cannot parse
		err = Usage("%s", inWords(err, cmd))
	}
	return tell(cmd.Name, err, stderr)
}

// tell prints an error unless it has been shown, and returns the exit code. Control
// characters are removed: an error may quote data of strangers.
func tell(name string, err error, stderr io.Writer) int {
	if err != nil && !isSilent(err) && !ClosedOutput(err) {
		fmt.Fprintf(stderr, "%s: %s\n", name, terminal.CleanLines(discreet(err.Error())))
	}
	return Code(err)
}

// printed writes the output of commands that do no work, such as --version.
func printed(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// credentials matches the credentials in an address, even a malformed one: everything
// from :// to the last @ of the word.
var credentials = regexp.MustCompile(`://[^\s"]*@`)

// discreet removes credentials from an error. The flags library repeats a value that a
// flag or a variable refuses, and a user may have put an address there by mistake. A
// placeholder, such as redis://USER:PASSWORD@HOST, stays: it shows the form.
func discreet(text string) string {
	return credentials.ReplaceAllStringFunc(text, func(found string) string {
		if slices.Contains(placeholders(), found) {
			return found
		}
		return "://***@"
	})
}

func placeholders() []string {
	return []string{"://USER@", "://TOKEN@", "://:PASSWORD@", "://USER:PASSWORD@"}
}

// strict makes a command and its subcommands return usage errors; the library would
// print help and exit. The library removes the arguments that a command declares
// (cli.Command.Arguments) before the action runs. A missing required argument is a usage
// error, and so is any that is left.
//
// begun is set once the configuration file has been read and the action starts. An error
// before that is wrong usage.
func strict(cmd *cli.Command, args []string, stderr io.Writer, begun *bool) {
	cmd.ExitErrHandler = func(context.Context, *cli.Command, error) {}
	cmd.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
		return Usage("%s (%s --help lists the flags)", inWords(err, c), c.FullName())
	}
	action := cmd.Action
	cmd.Action = func(ctx context.Context, c *cli.Command) error {
		switch {
		case c.Args().Present():
			return Usage("unexpected argument %q%s (%s --help shows the usage)",
				c.Args().First(), didYouMean("", nearest(c.Args().First(), namesOf(c.Commands))), c.FullName())
		case action == nil:
			return cli.ShowRootCommandHelp(c)
		}
		if !c.Hidden {
			warnOfUnknown(c.Root(), os.Environ(), stderr)
		}
		if err := configure(c); err != nil {
			return err
		}
		if err := noSecretInArguments(c, args); err != nil {
			return err
		}
		*begun = true
		return action(ctx, c)
	}
	for _, sub := range cmd.Commands {
		strict(sub, args, stderr, begun)
	}
}

func didYouMean(prefix, name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", prefix+name)
}

// namesOf are the commands that an error may suggest. The library adds help by itself.
func namesOf(commands []*cli.Command) []string {
	var names []string
	for _, c := range commands {
		if !c.Hidden && c.Name != "help" {
			names = append(names, c.Name)
		}
	}
	return names
}

// Silent wraps an error that the command has shown itself. It decides the exit code and
// is not printed again.
func Silent(err error) error { return silentError{err} }

type silentError struct{ error }

func (s silentError) Unwrap() error { return s.error }

func isSilent(err error) bool {
	var s silentError
	return errors.As(err, &s)
}
