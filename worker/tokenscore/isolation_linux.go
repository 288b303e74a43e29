package tokenscore

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mirrorfleet/worker/tokenscore/sandbox"
)

// isolation puts a child into a process group of its own, so that Ctrl-C at the
// terminal reaches the worker alone, and has the kernel kill it when the thread
// that started it is gone: the runtime ends no thread before the process ends,
// unless a goroutine that is locked to it returns, which none of ours does.
func isolation(namespace bool) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if namespace {
		attributes.Cloneflags = sandbox.Namespaces
	}
	return attributes
}

// attempts are the ways to start a child: in a namespace, and if that fails without.
func attempts(m sandbox.Mode) []bool {
	if m == sandbox.Off {
		return []bool{false}
	}
	return []bool{true, false}
}

// processorTime reads the processor time of a process, of all its threads.
func processorTime(pid int) (time.Duration, error) {
	// The number of a process's clock, as the kernel makes it: the pid inverted,
	// and in the lowest bits that all time on a processor counts.
	const all = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|all), &at); err != nil {
		return 0, fmt.Errorf("reading its processor time: %w", err)
	}
	return time.Duration(at.Nano()), nil
}
