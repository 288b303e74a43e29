//go:build !linux

package crash

import (
	"fmt"
	"os"
	"syscall"
)

// stop stops this process; another thread may take the signal, so that this
// one gets a little further.
func stop() error {
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stopping this process: %w", err)
	}
	return nil
}
