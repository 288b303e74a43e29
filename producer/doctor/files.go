package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"mirrorfleet/shared/secret"
)

// File is an input file that must be readable and valid.
type File struct {
	// Flag names the file in findings. A file without a Path is not checked.
	Flag, Path string
	// Secret says that no other user of the machine may read the file.
	Secret bool
	// Parse returns what the file holds, such as "3 miners", notes on entries that do not
	// count, and an error if the file is unusable. For a secret file none of them contains
	// a value of it.
	Parse func(data []byte) (holds string, notes []string, err error)
}

// FileChecks returns a check for each file that has a path.
func FileChecks(files []File) []Check {
	var checks []Check
	for _, f := range files {
		if f.Path != "" {
			checks = append(checks, Check{"--" + f.Flag, func(context.Context) []Finding { return f.look() }})
		}
	}
	return checks
}

// maxNotes is how many notes a finding names. A file that is wrong in every entry is most
// often wrong in the same way.
const maxNotes = 3

func (f File) look() []Finding {
	data, err := os.ReadFile(f.Path)
	if err != nil {
		return []Finding{fault(FileUnreadable, "%v", err)}
	}
	var found []Finding
	if exposed, is := errors.AsType[*secret.ExposedError](secret.Check(f.Path)); is && f.Secret {
		found = append(found, fault(FileExposed, "%v", exposed))
	} else if loose := secret.Loose(f.Path); loose != "" && f.Secret {
		found = append(found, warn(FileExposed, "%s", loose))
	}
	holds, notes, err := f.Parse(data)
	if err != nil {
		found = append(found, fault(FileInvalid, "%s: %v", f.Path, err))
	}
	if more := len(notes) - maxNotes; more > 0 {
		notes = append(notes[:maxNotes:maxNotes], fmt.Sprintf("and %d more", more))
	}
	if len(notes) > 0 {
		found = append(found, warn(FileInvalid, "%s: %s; %s", f.Path, holds, strings.Join(notes, "; ")))
	}
	return unless(found, "%s: %s", f.Path, holds)
}

// State checks the directory of local rounds, or where it would be made. refused returns
// why a round would refuse the directory.
func State(dir string, refused func(dir string) error) Check {
	return Check{"--state", func(context.Context) []Finding {
		at := existing(dir)
		if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
			return []Finding{fault(StateUnusable, "%s cannot be written: %v", at, err)}
		}
		if err := refused(dir); err != nil {
			return []Finding{fault(StateUnusable, "%v", err)}
		}
		var stat unix.Statfs_t
		if err := unix.Statfs(at, &stat); err != nil {
			return []Finding{fault(StateUnusable, "%s: %v", at, err)}
		}
		return JudgeSpace(dir, int64(stat.Bavail)*int64(stat.Bsize)) //nolint:unconvert // the types differ by system
	}}
}

// existing returns dir, or its nearest parent that exists. A file in the path is returned
// as it is, so that the access check fails with its name.
func existing(dir string) string {
	for {
		info, err := os.Stat(dir)
		parent := filepath.Dir(dir)
		if err == nil && info.IsDir() || parent == dir {
			return dir
		}
		if err == nil { // a file
			return dir
		}
		dir = parent
	}
}

// The free space, in bytes, below which a local round gets a warning or a fault. A round of
// some hundred miners takes some hundred MB, and rounds are kept.
const (
	spaceTight = 5 << 30
	spaceNone  = 1 << 30
)

// JudgeSpace judges the space that a disk has left, in bytes.
func JudgeSpace(dir string, left int64) []Finding {
	switch {
	case left < spaceNone:
		return []Finding{fault(StateSpace, "%s has %s left", dir, size(left))}
	case left < spaceTight:
		return []Finding{warn(StateSpace, "%s has %s left", dir, size(left))}
	}
	return []Finding{fine("%s can be written, %s left", dir, size(left))}
}
