package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// workPrefix begins the names of working directories. The next build finds the remains of a
// killed build by it.
func workPrefix(out string) string { return "." + filepath.Base(out) + ".build-" }

// aside is the path of the old directory between the two renames of an install.
func (b *builder) aside() string {
	return filepath.Join(filepath.Dir(b.out), "."+filepath.Base(b.out)+".old")
}

// lock lets only one build of this directory run at a time. The kernel releases the lock
// when the process ends, so a killed build blocks nobody.
func (b *builder) lock(ctx context.Context) (release func(), err error) {
	path := filepath.Join(filepath.Dir(b.out), "."+filepath.Base(b.out)+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the build's lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		fmt.Fprintf(b.log, "grammars: waiting for another build of %s\n", b.out)
		locked := make(chan error, 1)
		go func() { locked <- unix.Flock(int(f.Fd()), unix.LOCK_EX) }()
		select {
		case err := <-locked:
			if err != nil {
				return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
			}
		case <-ctx.Done(): // the process ends, and the waiting call with it
			return nil, fmt.Errorf("waiting for another build: %w", ctx.Err())
		}
	}
	return func() { _ = f.Close() }, nil
}

// recover cleans up after a killed build.
func (b *builder) recover() error {
	if !exists(b.out) && exists(b.aside()) {
		if err := os.Rename(b.aside(), b.out); err != nil {
			return fmt.Errorf("putting the old grammars back: %w", err)
		}
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(b.out), workPrefix(b.out)+"*"))
	if err != nil {
		return fmt.Errorf("looking for what an earlier build left: %w", err)
	}
	for _, dir := range append(left, b.aside()) {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("clearing what an earlier build left: %w", err)
		}
	}
	return nil
}

// install writes the manifest, as the last file, and moves the stage into place. Go has no
// portable call that exchanges two directories. So there are two renames, and between them
// there is no output: recover puts the old one back if a build dies there.
func (b *builder) install() error {
	b.made.Version = manifest.Version
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(b.made); err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	//nolint:gosec // read by whatever user runs the workers
	if err := os.WriteFile(filepath.Join(b.stage, manifest.Name), text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	if err := b.made.Verify(b.stage); err != nil {
		return fmt.Errorf("the build is not whole: %w", err)
	}
	if exists(b.out) {
		if err := os.Rename(b.out, b.aside()); err != nil {
			return fmt.Errorf("moving the old grammars aside: %w", err)
		}
	}
	if err := os.Rename(b.stage, b.out); err != nil {
		// Best effort: recover does the same at the next build.
		return errors.Join(fmt.Errorf("installing the grammars: %w", err), b.recover())
	}
	if err := os.RemoveAll(b.aside()); err != nil {
		return fmt.Errorf("removing the old grammars: %w", err)
	}
	return nil
}

// link makes a hard link, or a copy where the file system has none.
func link(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	f, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("taking a file over: %w", err)
	}
	return errors.Join(writeFile(to, io.Reader(f)), f.Close())
}
