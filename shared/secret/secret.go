package secret

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// othersRead is the bit of a mode that lets everybody read.
const othersRead fs.FileMode = 0o004

// ExposedError says that others can read a file.
type ExposedError struct {
	Path string
	Mode fs.FileMode
}

func (e *ExposedError) Error() string {
	return fmt.Sprintf("%s holds a secret, and others can read it (mode %04o): chmod o-rwx %s", e.Path, e.Mode, e.Path)
}

// Check refuses a file that others can read with an ExposedError.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err //nolint:wrapcheck // it names the path
	}
	return CheckInfo(path, info)
}

// CheckInfo is Check for a file that is open already.
func CheckInfo(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&othersRead != 0 {
		return &ExposedError{Path: path, Mode: mode}
	}
	return nil
}

// groupReads is the bit of a mode that lets the file's group read.
const groupReads fs.FileMode = 0o040

// Loose says in a line what closes a file that is of this process's own user and that
// its group can read: this process needs no group for it. "" for any other file.
func Loose(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "" // Read reports it
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if mode := info.Mode().Perm(); known && int(owner.Uid) == os.Geteuid() && mode&groupReads != 0 {
		return fmt.Sprintf("%s holds a secret, and its group can read it (mode %04o): chmod 600 %s", path, mode, path)
	}
	return ""
}

// Read reads a file of at most so many bytes that others cannot read.
func Read(path string, maxBytes int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the path
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err == nil {
		err = CheckInfo(path, info)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if int64(len(data)) > maxBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxBytes)
	}
	return data, nil
}

// maxLine is longer than any password or token.
const maxLine = 4096

// Line reads a file of one line, such as a password. What is wrong with it is
// told without it.
func Line(path string) (string, error) {
	data, err := Read(path, maxLine)
	if err != nil {
		return "", err
	}
	line := strings.TrimRight(string(data), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n") {
		return "", fmt.Errorf("%s: want one line that is not empty", path)
	}
	return line, nil
}
