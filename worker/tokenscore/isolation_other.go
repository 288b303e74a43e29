//go:build !linux

package tokenscore

import (
	"errors"
	"syscall"
	"time"

	"mirrorfleet/worker/tokenscore/sandbox"
)

// isolation: other systems send no signal when a parent dies. There a child ends when its
// input does.
func isolation(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// attempts: other systems have no namespaces.
func attempts(sandbox.Mode) []bool { return []bool{false} }

// processorTime: only Linux reports the time of another process.
func processorTime(int) (time.Duration, error) { return 0, errors.ErrUnsupported }
