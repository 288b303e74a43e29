package tokenscore //nolint:testpackage // reads the nodes themselves, which nothing exports

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// Broken, cut and non-ASCII texts of every language give, node for node, the
// trees that the validator's parser gives them (testdata/trees.tar.gz holds its
// node counts and digests). Two faults stay away by this:
//   - in the C locale, scanners of nine languages take é for no letter;
//   - cmake's scanner reads memory that it never set.
func TestTreesAreTheValidators(t *testing.T) {
	t.Parallel()
	l := testLibrary(t)
	texts := readTrees(t)
	expected := strings.Split(strings.TrimSpace(string(texts["expected.txt"])), "\n")
	for _, line := range expected {
		name, want, _ := strings.Cut(line, " ")
		got := describe(t, l, path.Dir(name), texts[name])
		if got != want {
			t.Errorf("%s: nodes and their digest %s, want %s", name, got, want)
		}
	}
	if len(expected) < 300 {
		t.Errorf("%d texts: want the hundreds that were recorded", len(expected))
	}
}

func testLibrary(t *testing.T) *library {
	t.Helper()
	dir := fleettest.Grammars()
	m, err := manifest.Read(dir)
	if err != nil {
		t.Fatalf("there are no grammars in %s: run `make grammars`, or name another directory in MIRRORFLEET_GRAMMARS (%v)", dir, err)
	}
	l := must.Get(openLibrary(dir, m))(t)
	t.Cleanup(l.close)
	return l
}

// describe walks every node but comments and digests them.
func describe(t *testing.T, l *library, name string, text []byte) string {
	t.Helper()
	lang := must.Get(l.language(name))(t)
	every := make(map[string]float64)
	for _, kind := range lang.kinds {
		every[kind] = 1
	}
	symbols, _ := lang.table(every, nil)
	nodes, err := l.walk(lang, symbols, string(text), parseTimeout)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	h := sha256.New()
	for _, n := range nodes {
		leaf := 0
		if n.Leaf {
			leaf = 1
		}
		fmt.Fprintf(h, "%s %d %d %d\n", lang.kinds[n.Kind], n.Start, n.End, leaf)
	}
	return fmt.Sprintf("%d %x", len(nodes), h.Sum(nil))
}

func readTrees(t *testing.T) map[string][]byte {
	t.Helper()
	f := must.Get(os.Open(filepath.Join("testdata", "trees.tar.gz")))(t)
	defer f.Close()
	zipped := must.Get(gzip.NewReader(f))(t)
	texts := make(map[string][]byte)
	for entries := tar.NewReader(zipped); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return texts
		}
		must.Do(t, err)
		text := must.Get(io.ReadAll(entries))(t)
		texts[path.Clean(header.Name)] = text
	}
}
