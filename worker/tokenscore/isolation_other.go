//go:build !linux

package tokenscore

import (
	"os"
	"os/exec"
	"syscall"
)

// isolation: elsewhere no signal comes with a parent's death; the end of its
// input ends a child.
func isolation() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// start: only Linux has timers that may be late.
func start(cmd *exec.Cmd) error { return cmd.Start() } //nolint:wrapcheck // by the caller

// limitMemory: only Linux holds a process to such a limit from outside.
func limitMemory(int, int64) error { return nil }

func widen(*os.File) {}
