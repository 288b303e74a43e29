package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"mirrorfleet/shared/must"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

const content = "what the index has"

// sample is a source distribution that has the content.
func sample() manifest.Package {
	sum := sha256.Sum256([]byte(content))
	return manifest.Package{Name: "sample", Version: "1.0", SHA256: hex.EncodeToString(sum[:]), File: "sample-1.0.tar.gz"}
}

// indexed builds from an index that answers with one page and one file.
func indexed(t *testing.T, page, file string) *builder {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/simple/sample/":
			_, _ = io.WriteString(w, page)
		case "/files/sample-1.0.tar.gz":
			_, _ = io.WriteString(w, file)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	address := strings.Replace(server.URL, "http://", "http://user:password@", 1)
	return &builder{index: address + "/simple", cache: filepath.Join(t.TempDir(), "sources"), log: io.Discard, progress: &progress{out: io.Discard}}
}

// An index answers in one of two forms, with absolute addresses or relative ones.
func TestDownload(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"json": `{"files":[{"filename":"x","url":"x.whl"},{"filename":"sample-1.0.tar.gz","url":"../../files/sample-1.0.tar.gz"}]}`,
		"html": `<!DOCTYPE html><a href="x.whl">x</a><a href="/files/sample-1.0.tar.gz#sha256=00">sample-1.0.tar.gz</a><br>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := indexed(t, page, content)
			must.Do(t, b.download(t.Context(), sample()))
			if got := must.Get(os.ReadFile(b.source(sample())))(t); string(got) != content {
				t.Errorf("got %q, want %q", got, content)
			}
		})
	}
}

// Nothing that differs from its hash is kept, whatever the index says of it; an
// error never shows the password of the index.
func TestDownloadIsRefused(t *testing.T) {
	t.Parallel()
	page := `{"files":[{"url":"../../files/sample-1.0.tar.gz"}]}`
	for name, c := range map[string]struct{ page, file, want string }{
		"another content": {page, "something else", "want " + sample().SHA256},
		"not listed":      {`{"files":[{"url":"sample-1.1.tar.gz"}]}`, content, "lists no sample-1.0.tar.gz"},
		"listed, gone":    {`{"files":[{"url":"sample-1.0.tar.gz"}]}`, content, "404 Not Found"},
		"no page":         {"", content, "lists no sample-1.0.tar.gz"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := indexed(t, c.page, c.file)
			err := b.download(t.Context(), sample())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "password") {
				t.Errorf("got %v, want an error with %q and without the password", err, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(b.cache, "*")); len(left) != 0 {
				t.Errorf("%v was kept", left)
			}
		})
	}
}

// What help prints is read by others: the index may hold a password.
func TestHelpShowsNoPassword(t *testing.T) {
	t.Setenv("PIP_INDEX_URL", "https://user:secret@index.example/simple")
	var b bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &b); code != 0 || strings.Contains(b.String(), "secret") {
		t.Errorf("code %d, said %s; want 0 and no password", code, b.String())
	}
}

// An archive writes below its own directory alone.
func TestUnpackStaysInside(t *testing.T) {
	t.Parallel()
	b := &builder{cache: t.TempDir(), work: t.TempDir()}
	p := sample()
	everything := func(string) bool { return true }
	must.Do(t, os.WriteFile(b.source(p), archive(t, map[string]string{
		"top/in/side": "1", "top/../../out": "2", "top//out": "3", "../../out": "4",
	}), 0o600))
	must.Do(t, b.unpack(t.Context(), p, everything))
	var found []string
	must.Do(t, filepath.WalkDir(b.work, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, path)
		}
		return err
	}))
	if want := filepath.Join(b.unpacked(p), "in/side"); fmt.Sprint(found) != fmt.Sprint([]string{want}) {
		t.Errorf("unpacked %v, want %v alone", found, want)
	}
	if exists(filepath.Join(b.work, "../out")) || exists(filepath.Join(b.work, "out")) {
		t.Error("a file was written outside")
	}
}

// archive makes a source distribution of files.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for name, text := range files {
		must.Do(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}))
		must.Get(io.WriteString(w, text))(t)
	}
	must.Do(t, w.Close())
	must.Do(t, zipped.Close())
	return b.Bytes()
}
