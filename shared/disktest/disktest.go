package disktest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mirrorfleet/shared/must"
)

// childEnv tells a test's second process that it is one.
const childEnv = "MIRRORFLEET_TEST_ON_DISK"

// Disk is a small disk.
type Disk struct {
	// Dir is where it is mounted.
	Dir string
}

// On runs body on a disk of so many bytes. It is all of its test: body runs in
// another process.
func On(t *testing.T, size int, body func(Disk)) {
	t.Helper()
	if os.Getenv(childEnv) == "" {
		again(t)

		return
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("no disk of its own: mounting it: %v", err)
	}
	t.Cleanup(func() { must.Check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	body(Disk{Dir: dir})
}

// again runs the test as a child that may mount.
func again(t *testing.T) {
	t.Helper()
	self := must.Get(os.Executable())(t)
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$", "-test.v", "-test.count", "1")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.Errorf("on a disk of its own: %v\n%s", err, out)
	case err != nil:
		t.Skipf("no disk of its own: %v", err)
	case bytes.Contains(out, []byte("--- SKIP: "+t.Name())):
		t.Skipf("%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Errorf("the test did not run on a disk of its own:\n%s", out)
	}
}

func (d Disk) ballast() string { return filepath.Join(d.Dir, "ballast") }

// Fill leaves no room on the disk.
func (d Disk) Fill(tb testing.TB) {
	tb.Helper()
	file := must.Get(os.Create(d.ballast()))(tb)
	defer file.Close()
	for _, piece := range []int{1 << 20, 1 << 12, 1} {
		for data := make([]byte, piece); ; {
			if _, err := file.Write(data); errors.Is(err, unix.ENOSPC) {
				break
			} else if err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// Free gives back the room that Fill took.
func (d Disk) Free(tb testing.TB) {
	tb.Helper()
	must.Do(tb, os.Remove(d.ballast()))
}
