package tokenscore_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A child ends with a parent that is killed, even in the midst of a file, when
// it does not look at its input.
func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	config(t) // the grammars must be there
	command := childCommand(t, "parent")
	parent := exec.Command(command[0], command[1:]...)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(bufio.NewReader(out), &child); err != nil {
		t.Fatalf("the parent told no child: %v", err)
	}
	// Readable once the process has ended, whoever waits for it.
	pidfd, err := unix.PidfdOpen(child, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	const patience = 30_000
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, patience)
	if n != 1 || err != nil {
		t.Errorf("child %d still runs %d ms after its parent was killed (%v)", child, patience, err)
		_ = unix.Kill(child, unix.SIGKILL)
	}
}
