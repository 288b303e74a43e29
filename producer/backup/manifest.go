package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/jsm.go/api"

	"mirrorfleet/shared/job"
)

// Format is the version of the directory's layout that this build writes and
// reads.
const Format = 1

// manifestName is written last: a directory without it is no backup.
const manifestName = "manifest.json"

// ErrRefused marks what cannot be taken or restored as it is asked for; nothing
// was written.
var ErrRefused = errors.New("refused")

func refusef(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, args...))
}

// Manifest says what a backup is of.
type Manifest struct {
	Format int `json:"format"`
	// Wire is the version of the values in it (job.Version).
	Wire int `json:"wire"`
	// Fleet identifies whose backup it is: a word that is made once, and kept in
	// the bucket of rounds.
	Fleet string `json:"fleet"`
	// Began and Ended are instants of the host that took it.
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended"`
	Host   string    `json:"host"`
	Server string    `json:"server"` // version of NATS
	// Outcomes are the keys of those that there were before the first record was
	// read.
	Outcomes []string `json:"outcomes"`
	// Streams are in the order in which they were taken.
	Streams []Stream `json:"streams"`
}

// Stream is one stream of a backup.
type Stream struct {
	Name     string `json:"name"`
	File     string `json:"file"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
	Messages uint64 `json:"messages"`
	// Removed counts what was removed from the stream, or replaced, while it was
	// read.
	Removed uint64           `json:"removed,omitempty"`
	LastSeq uint64           `json:"last_seq"`
	Config  api.StreamConfig `json:"config"`
}

// write makes the directory a backup: the manifest takes its name when it is
// whole and on the disk.
func (m Manifest) write(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	temporary := filepath.Join(dir, "."+manifestName)
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	_, err = file.Write(append(data, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	if err := os.Rename(temporary, filepath.Join(dir, manifestName)); err != nil {
		return fmt.Errorf("naming the manifest: %w", err)
	}
	return syncDir(dir)
}

// syncDir has the disk know the names in a directory.
func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the directory: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("syncing the directory: %w", err)
	}
	return nil
}

// readManifest refuses what this build cannot restore.
func readManifest(dir string) (m Manifest, err error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return m, refusef("there is no backup %s: %w", dir, err)
		}
		return m, refusef("%s is no backup, or one that was cut short: it has no %s", dir, manifestName)
	}
	if err != nil {
		return m, refusef("backup %s: %w", dir, err)
	}
	var version struct {
		Format int `json:"format"`
		Wire   int `json:"wire"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return m, refusef("backup %s: %s cannot be read: %w", dir, manifestName, err)
	}
	switch {
	case version.Format != Format:
		return m, refusef("backup %s has format %d, and this build reads %d: restore it with the version that wrote it",
			dir, version.Format, Format)
	case version.Wire < 1 || version.Wire > job.Version:
		return m, refusef("backup %s holds values of version %d, and this build reads 1 to %d: restore it with the version that wrote it",
			dir, version.Wire, job.Version)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields() // damage to a name shows
	if err := decoder.Decode(&m); err != nil {
		return m, refusef("backup %s: %s cannot be read: %w", dir, manifestName, err)
	}
	return m, m.check(dir)
}

// check finds what a manifest lacks.
func (m Manifest) check(dir string) error {
	var names []string
	for _, s := range m.Streams {
		if s.File != fileOf(s.Name) || s.Config.Name != s.Name || slices.Contains(names, s.Name) {
			return refusef("backup %s: %s describes stream %q in a way that cannot be", dir, manifestName, s.Name)
		}
		names = append(names, s.Name)
	}
	for _, name := range Order() {
		if name != scores && !slices.Contains(names, name) {
			return refusef("backup %s lacks stream %s", dir, name)
		}
	}
	for _, name := range names {
		if !slices.Contains(Order(), name) {
			return refusef("backup %s has stream %s, which this build does not know", dir, name)
		}
	}
	if m.Fleet == "" {
		return refusef("backup %s: %s names no fleet", dir, manifestName)
	}
	return nil
}

// fileOf names the archive of a stream.
func fileOf(stream string) string { return stream + ".arc.s2" }
