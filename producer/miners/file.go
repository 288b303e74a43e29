package miners

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mirrorfleet/shared/secret"
)

// The inputs of an InputError.
const (
	InputTokens    = "tokens"
	InputMetagraph = "metagraph"
)

// InputError says which file of a round cannot be used, and why: it is
// ErrUnusable, unless the streams or ctx are to blame.
type InputError struct {
	Input string
	Path  string
	Err   error
}

func (e *InputError) Error() string { return fmt.Sprintf("%s %s: %v", e.Input, e.Path, e.Err) }

func (e *InputError) Unwrap() error { return e.Err }

// longestFile is far more than the entries of 65536 uids.
const longestFile = 64 << 20

// ReadFile reads a file that others replace, and the time when it was written. Any
// failure is ErrUnusable, with what to do about it. The parser notices a file that is
// being written: half of one is no JSON.
func ReadFile(path string) ([]byte, time.Time, error) {
	data, info, err := readWhole(path)
	if err == nil && gone(info) { // replaced since it was opened, or for good
		data, info, err = readWhole(path)
	}
	switch {
	case err != nil:
		return nil, time.Time{}, fmt.Errorf("%w: %w", ErrUnusable, explained(path, err))
	case gone(info):
		return nil, time.Time{}, fmt.Errorf("%w: it was replaced or removed where it comes from, and the old one is still mounted here: "+
			"mount its directory, not the file", ErrUnusable)
	}
	return data, info.ModTime(), nil
}

// keptFromOthers refuses a file of secrets that others can read.
func keptFromOthers(path string) error {
	if err := secret.Check(path); err != nil {
		return fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return nil
}

func readWhole(path string) ([]byte, fs.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it names the path
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it names the path
	}
	data, err := io.ReadAll(io.LimitReader(file, longestFile+1))
	if err == nil && len(data) > longestFile {
		err = fmt.Errorf("more than %d bytes", longestFile)
	}
	return data, info, err
}

// gone says whether no directory has the file. A file that is mounted by
// itself stays the old one, even when its name is given to another file.
func gone(info fs.FileInfo) bool {
	stat, known := info.Sys().(*syscall.Stat_t)
	return known && stat.Nlink == 0
}

// explained adds to a refusal the file's mode and owner, and the user that asks.
func explained(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	what, at := "it", path
	info, statErr := os.Stat(at)
	for statErr != nil && filepath.Dir(at) != at {
		what, at = "a directory on its way", filepath.Dir(at)
		info, statErr = os.Stat(at)
	}
	if statErr != nil {
		return err
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return err
	}
	return fmt.Errorf("%w: %s, %s, has mode %04o and is of user %d and group %d, and this process is of user %d and group %d: "+
		"run it as user %d, or give the file and its directories to a group of both",
		err, what, at, info.Mode().Perm(), stat.Uid, stat.Gid, os.Geteuid(), os.Getegid(), stat.Uid)
}
