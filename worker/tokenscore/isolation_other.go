//go:build !linux

package tokenscore

import (
	"errors"
	"syscall"
	"time"

	"mirrorfleet/worker/tokenscore/sandbox"
)

// isolation: elsewhere no signal comes with a parent's death; the end of its
// input ends a child.
func isolation(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// attempts: elsewhere there are no namespaces.
func attempts(sandbox.Mode) []bool { return []bool{false} }

// processorTime: only Linux tells that of another process.
func processorTime(int) (time.Duration, error) { return 0, errors.ErrUnsupported }
