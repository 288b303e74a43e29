package tokenscore_test

import (
	"bufio"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"mirrorfleet/shared/must"
)

// A child ends with a parent that is killed, even in the midst of a file, when
// it does not look at its input.
func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	config(t) // the grammars must be there
	command := childCommand(t, "parent")
	parent := exec.Command(command[0], command[1:]...)
	log := must.Get(parent.StderrPipe())(t)
	must.Do(t, parent.Start())
	// The parent's log tells when the child hangs, and its process id.
	hanging := regexp.MustCompile(`pid=(\d+) line=hanging`)
	var found []string
	lines := bufio.NewScanner(log)
	for found == nil && lines.Scan() {
		found = hanging.FindStringSubmatch(lines.Text())
	}
	if found == nil {
		t.Fatalf("the parent told of no child that hangs: %v", lines.Err())
	}
	child := must.Get(strconv.Atoi(found[1]))(t)
	// Readable once the process has ended, whoever waits for it.
	pidfd := must.Get(unix.PidfdOpen(child, 0))(t)
	defer unix.Close(pidfd)
	must.Do(t, parent.Process.Kill())
	_ = parent.Wait() // killed
	const patience = 30_000
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, patience)
	if n != 1 || err != nil {
		t.Errorf("child %d still runs %d ms after its parent was killed (%v)", child, patience, err)
		_ = unix.Kill(child, unix.SIGKILL)
	}
}
