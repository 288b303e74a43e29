package crash

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// stop stops all threads of this process. It is told to the thread that asks,
// because that one must not get any further: a signal to the process may be
// taken by another thread, a moment later.
func stop() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP); err != nil {
		return fmt.Errorf("stopping this process: %w", err)
	}
	return nil
}
