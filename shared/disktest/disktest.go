package disktest

import (
	"errors"
	"os"
	"path/filepath"
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
	mount(t, dir, size)
	body(Disk{Dir: dir})
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
