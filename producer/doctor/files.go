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

// File is an input that is to be readable and valid.
type File struct {
	// Flag names it; without a Path there is nothing to check.
	Flag, Path string
	// Secret says that nobody else on the machine may read it.
	Secret bool
	// Parse says how much there is of what, which parts do not count, and what is
	// wrong with the content as a whole. Of a secret file it names no value.
	Parse func(data []byte) (holds string, notes []string, err error)
}

// FileChecks are a check for each file that is given.
func FileChecks(files []File) []Check {
	var checks []Check
	for _, f := range files {
		if f.Path != "" {
			checks = append(checks, Check{"--" + f.Flag, func(context.Context) []Finding { return f.look() }})
		}
	}
	return checks
}

// maxNotes bounds what a line names: one that is wrong in each entry is wrong
// in the same way.
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

// State checks the directory of local rounds; refused says why a round would refuse one.
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

// existing is the nearest directory that is there.
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

// A local round of some hundred miners takes some hundred MB.
const (
	spaceTight = 5 << 30
	spaceNone  = 1 << 30
)

// JudgeSpace judges what is left of a disk.
func JudgeSpace(dir string, left int64) []Finding {
	switch {
	case left < spaceNone:
		return []Finding{fault(StateSpace, "%s has %s left", dir, size(left))}
	case left < spaceTight:
		return []Finding{warn(StateSpace, "%s has %s left", dir, size(left))}
	}
	return []Finding{fine("%s can be written, %s left", dir, size(left))}
}
