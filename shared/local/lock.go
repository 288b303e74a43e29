package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// InUseError says that another process has the state directory.
type InUseError struct {
	Dir string
	// PID is the holder's process id, 0 if it has not written it yet.
	PID int
}

func (e *InUseError) Error() string {
	holder := "another process"
	if e.PID > 0 {
		holder = "process " + strconv.Itoa(e.PID)
	}
	return fmt.Sprintf("state directory %s is in use by %s: wait for it, stop it, or choose another directory", e.Dir, holder)
}

// dirLock is a lock on a directory. The kernel gives it free when the process
// ends, however it ends, so a stale one cannot exist.
type dirLock struct{ file *os.File }

const lockFile = "lock"

// lockDir makes dir, checks that it can be written and has room, and locks it.
func lockDir(dir string) (_ *dirLock, err error) {
	if err := MakeDir(dir); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory %s is not writable: %w", dir, err)
	}
	defer func() {
		if err != nil {
			_ = file.Close() // the error that counts is there
		}
	}()
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, &InUseError{Dir: dir, PID: holder(file)}
	}
	if err != nil {
		return nil, fmt.Errorf("locking state directory %s: %w", dir, err)
	}
	if err := checkRoom(dir); err != nil {
		return nil, err
	}
	if err := writePID(file); err != nil {
		return nil, fmt.Errorf("state directory %s is not writable: %w", dir, err)
	}
	return &dirLock{file: file}, nil
}

// writePID tells the next one who has the directory.
func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err //nolint:wrapcheck // the caller names the directory
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err //nolint:wrapcheck // as above
}

// holder reads who has the lock; 0 if that is not written down yet.
func holder(file *os.File) int {
	text, err := io.ReadAll(io.LimitReader(file, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// release gives the directory free. The file stays: removing it would let two
// processes lock two files of the same name.
func (l *dirLock) release() error {
	// A child that is just being started has the file open too, until it runs its
	// program: closing it here alone would leave the lock to that child for so long.
	if err := unix.Flock(int(l.file.Fd()), unix.LOCK_UN); err != nil {
		return fmt.Errorf("unlocking %s: %w", l.file.Name(), err)
	}
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("unlocking %s: %w", l.file.Name(), err)
	}
	return nil
}
