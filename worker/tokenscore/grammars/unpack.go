package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// licenseFile is what each source distribution calls its licence.
const licenseFile = "LICENSE"

// unpackAll unpacks the files that the build needs, into one directory per source
// distribution, without the archive's top directory.
func (b *builder) unpackAll(ctx context.Context, languages []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return b.unpack(ctx, manifest.Core, func(path string) bool {
			return path == licenseFile || strings.HasPrefix(path, "tree_sitter/core/lib/")
		})
	})
	if len(languages) > 0 {
		// The headers of one grammar serve csharp, which brings none.
		wanted := append([]string{headersOf}, languages...)
		group.Go(func() error { return b.unpack(ctx, manifest.Pack, packFilter(wanted)) })
		group.Go(func() error {
			return b.unpack(ctx, manifest.CSharp, func(path string) bool {
				return path == licenseFile || strings.HasPrefix(path, "src/")
			})
		})
	}
	return group.Wait()
}

// headersOf is the language whose tree_sitter headers csharp is compiled with.
const headersOf = "java"

// packFilter selects the sources of the wanted languages. It leaves out the grammars' JSON
// files, which the build does not need and which are nine tenths of the archive.
func packFilter(languages []string) func(path string) bool {
	return func(path string) bool {
		switch path {
		case licenseFile, "README.md", definitionsFile:
			return true
		}
		parts := strings.Split(path, "/")
		return len(parts) > 2 && parts[0] == "parsers" && slices.Contains(languages, parts[1]) && isSource(path)
	}
}

// isSource says whether a compiler may read a file. .inc is a usual name for included tables.
func isSource(path string) bool {
	switch filepath.Ext(path) {
	case ".c", ".h", ".inc":
		return true
	}
	return false
}

// unpacked is where a source distribution's files stand.
func (b *builder) unpacked(p manifest.Package) string { return filepath.Join(b.work, p.Name) }

// largestUnpacked bounds what an archive may unpack to, in bytes; the pack has 1 GB. An
// archive that is cut there ends in an error.
const largestUnpacked = 4 << 30

func (b *builder) unpack(ctx context.Context, p manifest.Package, wanted func(path string) bool) (err error) {
	f, err := os.Open(b.source(p))
	if err != nil {
		return fmt.Errorf("opening a download: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", p.File, err)
	}
	archive := tar.NewReader(io.LimitReader(zipped, largestUnpacked))
	for ctx.Err() == nil {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.File, err)
		}
		// The top directory of an archive is named after the version; the paths here are not.
		_, path, _ := strings.Cut(header.Name, "/")
		if header.Typeflag != tar.TypeReg || !filepath.IsLocal(path) || !wanted(path) {
			continue
		}
		if err := writeFile(filepath.Join(b.unpacked(p), path), archive); err != nil {
			return fmt.Errorf("%s: %w", p.File, err)
		}
	}
	return fmt.Errorf("unpacking %s: %w", p.File, ctx.Err())
}

// writeFile writes a file and the directories above it. It syncs nothing: a build that a
// power cut ends is found damaged by its digests, and is built again.
func writeFile(path string, from io.Reader) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) //nolint:gosec // licences are for everybody
	if err != nil {
		return fmt.Errorf("making a file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, from); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
