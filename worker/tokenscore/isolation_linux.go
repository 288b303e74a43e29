package tokenscore

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolation puts a child into a process group of its own, so that Ctrl-C at the
// terminal reaches the worker alone, and has the kernel kill it when the thread
// that started it is gone: the runtime ends no thread before the process ends,
// unless a goroutine that is locked to it returns, which none of ours does.
func isolation() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
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
