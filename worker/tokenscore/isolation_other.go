//go:build !linux

package tokenscore

import "syscall"

// isolation: elsewhere no signal comes with a parent's death; the end of its
// input ends a child.
func isolation() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// limitMemory: only Linux holds a process to such a limit from outside.
func limitMemory(int, int64) error { return nil }
