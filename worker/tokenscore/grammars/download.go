package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// cache is where downloads are kept: beside the output, so that a rebuild needs
// no network, and outside it, so that the output holds what was built alone.
func (b *builder) cache() string { return b.out + ".downloads" }

// fetch makes sure that the source distributions are in the cache: the core
// always, the grammars' when some have to be built.
func (b *builder) fetch(ctx context.Context, grammars bool) error {
	wanted := []manifest.Package{manifest.Core}
	if grammars {
		wanted = manifest.Packages()
	}
	if err := os.MkdirAll(b.cache(), 0o750); err != nil {
		return fmt.Errorf("making the download cache: %w", err)
	}
	var missing []manifest.Package
	for _, p := range wanted {
		if sum, err := manifest.FileDigest(filepath.Join(b.cache(), p.File)); err != nil || sum != p.SHA256 {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return b.download(ctx, missing)
}

// download lets pip fetch by hash into the work directory, then moves each file
// into the cache: a broken download never stands there under its name.
func (b *builder) download(ctx context.Context, packages []manifest.Package) error {
	if err := b.pythonTools(ctx); err != nil {
		return err
	}
	var list bytes.Buffer
	var names []string
	for _, p := range packages {
		fmt.Fprintf(&list, "%s==%s --hash=sha256:%s\n", p.Name, p.Version, p.SHA256)
		names = append(names, p.Name)
	}
	requirements := filepath.Join(b.work, "requirements.txt")
	if err := os.WriteFile(requirements, list.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the list of downloads: %w", err)
	}
	fmt.Fprintf(b.log, "grammars: downloading %s\n", strings.Join(names, ", "))
	into := filepath.Join(b.work, "downloads")
	// --no-binary names the three alone: :all: would build pip's own tools too.
	pip := exec.CommandContext(ctx, b.python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
		"--no-binary", strings.Join(names, ","), "--require-hashes", "-r", requirements, "-d", into)
	if output, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("downloading %s with pip (%w): is a package index reachable?\n%s",
			strings.Join(names, ", "), err, bytes.TrimSpace(output))
	}
	for _, p := range packages {
		sum, err := manifest.FileDigest(filepath.Join(into, p.File))
		if err != nil {
			return fmt.Errorf("pip did not leave %s: %w", p.File, err)
		}
		if sum != p.SHA256 {
			return fmt.Errorf("%s has sha256 %s, want %s", p.File, sum, p.SHA256)
		}
		if err := os.Rename(filepath.Join(into, p.File), filepath.Join(b.cache(), p.File)); err != nil {
			return fmt.Errorf("keeping the download: %w", err)
		}
	}
	return nil
}
