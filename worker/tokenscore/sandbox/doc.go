// Package sandbox takes from a child process every right that parsing does not need. The
// child parses strangers' files: a text that takes the process over gains nothing.
//
// Guarantees, once Enter has returned and Limit was called:
//   - The process opens the files that Enter names, and those under its
//     directories, for reading. It opens no other file and makes none. Beside them
//     it has those that it was started with. It can still ask whether a path exists.
//   - It has no network, starts no process, executes no program, gains no
//     privileges, sends signals to itself alone, and leaves no core dump.
//   - Its memory, open files, threads and processor time are bounded.
//   - All of this holds for every thread, and ends with the process alone.
//
// It is made of parts, each of which holds where another one is missing:
//   - seccomp: of the kernel's calls those that the Go runtime and the C library need,
//     with the arguments that they need. Everything else is EPERM: a call that a later
//     C library tries first fails as in a container, and the library continues without it.
//   - Landlock: which files may be opened.
//   - rlimits, from outside.
//   - A namespace for users, network and System V IPC, where the kernel gives one to
//     any process. Many containers do not, so nothing relies on it. A process that
//     root starts has none of root's capabilities there. There is none for process
//     ids: Landlock reaches all threads through /proc, which would show other ones.
//
// How it fails: what the kernel lacks is in State, and with Required an error that
// names it. Systems other than Linux lack everything.
package sandbox
