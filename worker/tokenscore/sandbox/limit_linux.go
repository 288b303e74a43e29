package sandbox

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Namespaces are the flags with which a process is started in a namespace of its
// own. No user is mapped there, so that it has no capability, even if root starts it.
const Namespaces = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC

const (
	// maxFiles is far more than a process opens at a time: pipes, what the Go
	// runtime waits with, and one grammar.
	maxFiles = 64
	// maxThreads is far more than it starts. The kernel counts a user's threads
	// together, so that this holds where the process has its own namespace, and
	// never for root, which nothing but its memory then bounds.
	maxThreads = 64
	// unused is room for addresses that take no memory: the tables of all grammars,
	// which are files, and what the Go runtime reserves.
	unused = 1 << 30
)

// Limit bounds a process from here on.
//
// RLIMIT_DATA counts writable private memory, which is what trees, heap and stacks
// are made of. The runtime has mapped more than it uses when a process starts
// (thread stacks, and far more under the race detector). So the cap is set against
// what is mapped now: what may still be added is the limit less what is resident.
// RLIMIT_AS bounds what the kernel keeps for memory that nobody uses.
func Limit(pid int, l Limits) error {
	limits := map[int]uint64{
		unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_NOFILE: maxFiles,
		unix.RLIMIT_CPU: uint64(l.Processor/time.Second) + 1,
	}
	if l.Namespace {
		limits[unix.RLIMIT_NPROC] = maxThreads
	}
	if l.Memory >= 0 {
		m, err := memoryOf(pid)
		if err != nil {
			return err
		}
		more := max(0, l.Memory-m.resident)
		limits[unix.RLIMIT_DATA] = uint64(m.data + more)
		limits[unix.RLIMIT_AS] = uint64(m.addresses + more + unused)
	}
	for resource, maximum := range limits {
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: maximum, Max: maximum}, nil); err != nil {
			return fmt.Errorf("limiting resource %d to %d: %w", resource, maximum, err)
		}
	}
	return nil
}

// memory is what a process has of it, in bytes.
type memory struct {
	addresses int64 // mapped, whether or not anything is there
	data      int64 // of these, writable private memory
	resident  int64
}

func memoryOf(pid int) (memory, error) {
	var m memory
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, fmt.Errorf("reading its memory: %w", err)
	}
	for _, field := range []struct {
		name string
		into *int64
	}{{"VmSize:", &m.addresses}, {"VmData:", &m.data}, {"VmRSS:", &m.resident}} {
		_, after, found := bytes.Cut(data, []byte("\n"+field.name))
		if !found {
			return m, fmt.Errorf("/proc/%d/status has no %s", pid, field.name)
		}
		line, _, _ := bytes.Cut(after, []byte(" kB"))
		kib, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
		if err != nil {
			return m, fmt.Errorf("/proc/%d/status: %s %w", pid, field.name, err)
		}
		*field.into = kib << 10
	}
	return m, nil
}

// HideFiles keeps the files that this process was started with, or opened in C, from
// every process that it starts: Go's own are closed there anyway.
func HideFiles() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil && err != unix.ENOSYS && err != unix.EINVAL { // before Linux 5.11
		return fmt.Errorf("keeping open files from children: %w", err)
	}
	return nil
}
