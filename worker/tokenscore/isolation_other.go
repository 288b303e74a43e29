//go:build !linux

package tokenscore

import (
	"errors"
	"syscall"
	"time"
)

// isolation: elsewhere no signal comes with a parent's death; the end of its
// input ends a child.
func isolation() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// limitMemory: only Linux holds a process to such a limit from outside.
func limitMemory(int, int64) error { return nil }

// processorTime: only Linux tells that of another process.
func processorTime(int) (time.Duration, error) { return 0, errors.ErrUnsupported }
