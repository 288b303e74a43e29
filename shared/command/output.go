package command

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
)

// surviveClosedOutput has a write to an output that nobody reads any more return an
// error, as any other write does, instead of ending the process: a round goes on
// when whoever watched it is gone. It returns what ends that.
//
// The signal is caught and not ignored, because what is ignored stays so in the
// processes that this one starts.
func surviveClosedOutput() func() {
	caught := make(chan os.Signal, 1) // nobody reads it: the write says it
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}

// ClosedOutput says whether an error is that nobody reads standard output any
// more, such as below a `| head`.
func ClosedOutput(err error) bool {
	failed, ok := errors.AsType[*fs.PathError](err)
	return ok && failed.Path == os.Stdout.Name() && errors.Is(failed, syscall.EPIPE)
}
