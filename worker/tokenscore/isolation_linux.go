package tokenscore

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// isolation puts a child into a process group of its own, so that Ctrl-C at the
// terminal reaches the worker alone, and has the kernel kill it when the thread
// that started it is gone: the runtime ends no thread before the process ends,
// unless a goroutine that is locked to it returns, which none of ours does.
func isolation() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// start starts a child whose timers may be ten milliseconds late, those of its
// runtime's monitor included, which else looks after the threads every 20 µs: it
// took a thirtieth of a processor from the other children. No timer of a child
// is worth more, and the monitor itself waits as long when little happens. The
// kernel passes the setting on from the thread that starts a process to all
// threads of the new one.
func start(cmd *exec.Cmd) error {
	const slack = 10 * time.Millisecond
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack.Nanoseconds()), 0, 0, 0)
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }() // what the thread began with
	return cmd.Start()                                                    //nolint:wrapcheck // by the caller
}

// widen lets a pipe hold the largest text, so that the child finds its next one
// there whole. A system that allows no such pipe has an ordinary one.
func widen(pipe *os.File) {
	const size = 1 << 20
	conn, err := pipe.SyscallConn() // not Fd, which would make the pipe block
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) })
}

// limitMemory caps what a process may hold, from here on. RLIMIT_DATA counts
// writable private memory, which is what trees, heap and stacks are made of.
// RLIMIT_AS would count the Go runtime's reservations, a gigabyte that nobody
// uses, and the grammars' tables, which all children share.
//
// The runtime has mapped more than it uses when a child starts (thread stacks,
// and far more under the race detector). So the cap is set against what is
// mapped now: what may still be added is the limit less what is resident.
func limitMemory(pid int, limit int64) error {
	mapped, resident, err := memoryOf(pid)
	if err != nil {
		return err
	}
	most := uint64(mapped + max(0, limit-resident))
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
		return fmt.Errorf("capping its memory: %w", err)
	}
	return nil
}

// memoryOf reads how much writable private memory a process has mapped, and how
// much memory it has resident, in bytes.
func memoryOf(pid int) (mapped, resident int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("reading its memory: %w", err)
	}
	for _, field := range []struct {
		name string
		into *int64
	}{{"VmData:", &mapped}, {"VmRSS:", &resident}} {
		_, after, found := bytes.Cut(data, []byte("\n"+field.name))
		if !found {
			return 0, 0, fmt.Errorf("/proc/%d/status has no %s", pid, field.name)
		}
		line, _, _ := bytes.Cut(after, []byte(" kB"))
		kib, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/%d/status: %s %w", pid, field.name, err)
		}
		*field.into = kib << 10
	}
	return mapped, resident, nil
}
