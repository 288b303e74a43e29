package sandbox

import (
	"fmt"
	"os"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	"github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Enter confines the process, all of its threads, for good. From then on it may read
// these files, and those under these directories. Call it after what has to be read
// elsewhere, and before the first of a stranger's bytes.
func Enter(paths ...string) (State, error) {
	var s State
	var err error
	if s.Landlock, err = restrictFiles(paths); err != nil {
		return s, err
	}
	// No core dump, not even one that the kernel pipes to a program: there
	// RLIMIT_CORE does not count. No other process of the user may trace it.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return s, fmt.Errorf("switching core dumps off: %w", err)
	}
	s.Seccomp, err = restrictCalls()
	return s, err
}

// restrictFiles returns the kernel's version of Landlock, 0 when it has none.
func restrictFiles(paths []string) (version int, err error) {
	version, err = syscall.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return 0, nil //nolint:nilerr // not there, or withheld
	}
	read := landlock.PathAccess(syscall.AccessFSReadFile, paths...)
	if err := landlock.V11.BestEffort().Restrict(read); err != nil {
		return 0, fmt.Errorf("allowing nothing but reading %v (Landlock %d): %w", paths, version, err)
	}
	return version, nil
}

// restrictCalls says whether the kernel has seccomp.
func restrictCalls() (bool, error) {
	if !seccomp.Supported() {
		return false, nil
	}
	policy, err := policy(os.Getpid())
	if err != nil {
		return false, err
	}
	// For all threads. Before Linux 5.16 a filter made the processor guess less, which
	// slows parsing down, unless it says not to.
	const flags = seccomp.FilterFlagTSync | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	if err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: flags, Policy: policy}); err != nil {
		return false, fmt.Errorf("restricting system calls: %w", err)
	}
	return true, nil
}
