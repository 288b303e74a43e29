package command

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
)

// surviveClosedOutput makes a write to a closed pipe return an error. By default such a
// write to standard output or standard error ends a Go process (SIGPIPE); but a round must
// survive when the terminal that shows it is gone. It returns a function that undoes it.
//
// The signal is caught and not ignored, because child processes inherit ignored signals.
func surviveClosedOutput() func() {
	caught := make(chan os.Signal, 1) // nobody reads it: the failed write is enough
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}

// ClosedOutput says whether an error means that the reader of standard output has gone,
// such as in a pipe to head.
func ClosedOutput(err error) bool {
	failed, ok := errors.AsType[*fs.PathError](err)
	return ok && failed.Path == os.Stdout.Name() && errors.Is(failed, syscall.EPIPE)
}
