package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MakeDir makes a state directory that is its owner's alone. One that others may enter
// is closed to them, unless CheckDir refuses it.
func MakeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("state directory %s cannot be made: %w", dir, err)
	}
	if err := CheckDir(dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory
		return fmt.Errorf("state directory %s cannot be closed to other users: %w", dir, err)
	}
	return nil
}

// CheckDir refuses a directory that cannot be this user's alone: one of another user,
// and one that others may enter and that holds something else than a state. Closing that
// might shut them out of their own files. It changes nothing.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it can be made
	}
	if err != nil {
		return fmt.Errorf("state directory %s: %w", dir, err)
	}
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != os.Geteuid() { //nolint:forcetypeassert // so it is on Unix
		return fmt.Errorf("state directory %s belongs to user %d, and this is user %d: give a directory of your own", dir, owner, os.Geteuid())
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	stranger, err := otherThanState(dir)
	if err != nil {
		return fmt.Errorf("state directory %s: %w", dir, err)
	}
	if stranger != "" {
		return fmt.Errorf("state directory %s may be entered by other users (mode %#o), and holds other things, such as %s: "+
			"chmod 700 it, or give a directory of its own", dir, info.Mode().Perm(), stranger)
	}
	return nil
}

// otherThanState is something in a directory that is no state and not empty, "" if there
// is none.
func otherThanState(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return "", err //nolint:wrapcheck // the caller names the directory
	}
	_, err = os.Lstat(filepath.Join(dir, lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return entries[0].Name(), nil
	}
	return "", err //nolint:wrapcheck // as above
}
