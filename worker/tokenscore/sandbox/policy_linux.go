package sandbox

import (
	"fmt"
	"slices"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// noCall is the answer of a kernel that does not have a call. The C library then
// starts a thread with clone, whose arguments a filter can see; clone3 has them in
// memory.
const noCall = seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)

// policy is the list of the calls that a process may make. What is not on it fails
// with EPERM and ends nothing: a library that tries a newer call goes on with an
// older one.
func policy(pid int) (seccomp.Policy, error) {
	machine, err := arch.GetInfo("")
	if err != nil {
		return seccomp.Policy{}, fmt.Errorf("restricting system calls: %w", err)
	}
	// Some names are another machine's: arm64 has fstatat where amd64 has newfstatat.
	known := slices.DeleteFunc(calls(), func(name string) bool { _, known := machine.SyscallNames[name]; return !known })
	return seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{
		{Action: seccomp.ActionAllow, Names: known},
		{Action: seccomp.ActionAllow, NamesWithCondtions: conditionalCalls(uint64(pid))},
		{Action: noCall, Names: []string{"clone3"}},
	}}, nil
}

// calls may be made with any arguments.
func calls() []string {
	return []string{
		// What is open already; nothing that is opened here can be written to.
		"read", "readv", "pread64", "write", "writev", "close", "fstat", "newfstatat", "fstatat", "lseek",
		// Memory of the process's own; mmap is below.
		"brk", "mprotect", "mremap", "munmap", "madvise",
		// Threads of its own, and their signals; clone and tgkill are below.
		"futex", "set_robust_list", "rseq", "gettid", "getpid", "exit", "exit_group", "restart_syscall",
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "sched_yield", "sched_getaffinity", "getcpu",
		// Waiting for its input.
		"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2",
		// Clocks, and what tells nothing that matters.
		"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
		"getrandom", "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", "getrlimit",
	}
}

// conditionalCalls may be made with some arguments.
func conditionalCalls(pid uint64) []seccomp.NameWithConditions {
	when := func(name string, conditions ...seccomp.Condition) seccomp.NameWithConditions {
		return seccomp.NameWithConditions{Name: name, Conditions: conditions}
	}
	is := func(argument uint32, value uint64) seccomp.Condition {
		return seccomp.Condition{Argument: argument, Operation: seccomp.Equal, Value: value}
	}
	has := func(argument uint32, bits uint64) seccomp.Condition {
		return seccomp.Condition{Argument: argument, Operation: seccomp.BitsSet, Value: bits}
	}
	hasNot := func(argument uint32, bits uint64) seccomp.Condition {
		return seccomp.Condition{Argument: argument, Operation: seccomp.BitsNotSet, Value: bits}
	}
	return []seccomp.NameWithConditions{
		// Grammars are opened when their first text comes. Landlock says where.
		when("openat", hasNot(2, unix.O_WRONLY|unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC|unix.O_APPEND)),
		// RLIMIT_DATA counts neither what is shared nor what grows as a stack does.
		when("mmap", hasNot(3, unix.MAP_SHARED|unix.MAP_GROWSDOWN)),
		when("clone", has(0, unix.CLONE_THREAD)),
		when("tgkill", is(0, pid)),
		when("kill", is(0, pid)),
		when("prlimit64", is(0, 0), is(2, 0)), // reads its own
		when("prctl", is(0, unix.PR_SET_VMA)), // the Go runtime names its memory
	}
}
