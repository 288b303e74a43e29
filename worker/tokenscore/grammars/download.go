package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// largest bounds a download, in bytes; a download that was cut has another hash. The largest
// source distribution has 58 MB.
const largest = 256 << 20

// patience bounds a request, including its whole answer.
const patience = 15 * time.Minute

// cacheDir is the default directory of downloads. All checkouts of this user share it, so
// that a fresh checkout needs no network.
func cacheDir() string {
	if dir := os.Getenv("MIRRORFLEET_SOURCES"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "" // --sources must say it
	}
	return filepath.Join(dir, "mirrorfleet", "sources")
}

// fetch makes sure that the source distributions are in the cache: always that of the core,
// and those of the grammars if some must be built. A file in the cache is accepted by its
// hash alone, because other checkouts and users write there too.
func (b *builder) fetch(ctx context.Context, grammars bool) error {
	wanted := []manifest.Package{manifest.Core}
	if grammars {
		wanted = manifest.Packages()
	}
	for _, p := range wanted {
		if sum, err := manifest.FileDigest(b.source(p)); err == nil && sum == p.SHA256 {
			continue
		}
		if err := b.download(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// source is the path of a source distribution in the cache.
func (b *builder) source(p manifest.Package) string { return filepath.Join(b.cache, p.File) }

// download downloads one source distribution. It runs nothing of it, and puts it into the
// cache only after it has checked the hash.
func (b *builder) download(ctx context.Context, p manifest.Package) error {
	fmt.Fprintf(b.log, "grammars: downloading %s\n", p.File)
	client := &http.Client{Timeout: patience}
	link, err := find(ctx, client, b.index, p)
	if err == nil {
		err = b.keep(ctx, client, link, p)
	}
	if err != nil {
		return fmt.Errorf("downloading %s: %w; PIP_INDEX_URL names another package index, and "+
			"MIRRORFLEET_SOURCES a directory that has the file", p.File, err)
	}
	return nil
}

// keep downloads a link's target into the cache. A killed download leaves only a temporary
// file, which nothing reads.
func (b *builder) keep(ctx context.Context, client *http.Client, link *url.URL, p manifest.Package) (err error) {
	answer, err := get(ctx, client, link, "")
	if err != nil {
		return err
	}
	body := &download{Reader: io.LimitReader(answer.Body, largest), progress: b.progress, size: answer.ContentLength}
	defer func() {
		b.progress.clear()
		err = errors.Join(err, answer.Body.Close())
	}()
	if err := os.MkdirAll(b.cache, 0o750); err != nil {
		return fmt.Errorf("making the directory of sources: %w", err)
	}
	f, err := os.CreateTemp(b.cache, "."+p.File+"-")
	if err != nil {
		return fmt.Errorf("making a file for it: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), body)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("reading %s: %w", link.Redacted(), err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != p.SHA256 {
		return fmt.Errorf("%s has sha256 %s, want %s", link.Redacted(), sum, p.SHA256)
	}
	if err := os.Rename(f.Name(), b.source(p)); err != nil {
		return fmt.Errorf("keeping it: %w", err)
	}
	return nil
}
