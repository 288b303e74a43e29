package tokenscore

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mirrorfleet/worker/tokenscore/sandbox"
)

// isolation puts a child into its own process group, so that Ctrl-C at the terminal reaches
// only the worker. The kernel kills the child when the thread that started it ends. The Go
// runtime ends a thread before the process only if a goroutine that is locked to it returns,
// and none of ours does.
func isolation(namespace bool) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if namespace {
		attributes.Cloneflags = sandbox.Namespaces
	}
	return attributes
}

// attempts are the ways to start a child, in order: in a namespace, then without one.
func attempts(m sandbox.Mode) []bool {
	if m == sandbox.Off {
		return []bool{false}
	}
	return []bool{true, false}
}

// processorTime reads the processor time of a process, of all its threads.
func processorTime(pid int) (time.Duration, error) {
	// The number of a process's CPU clock, as clock_getcpuclockid(3) makes it: the inverted
	// pid, shifted left by three. The lowest bits select the kind of time; 2 counts all time
	// on a processor.
	const all = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|all), &at); err != nil {
		return 0, fmt.Errorf("reading its processor time: %w", err)
	}
	return time.Duration(at.Nano()), nil
}
