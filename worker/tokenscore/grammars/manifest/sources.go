package manifest

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

// walkSources are the C sources of ours that are compiled with the runtime.
//
//go:embed csrc
var walkSources embed.FS

// Package is one source distribution.
type Package struct {
	Name, Version, SHA256 string
	File                  string // as the registry names it
}

// The source distributions that the validator's own wheels are made from. They
// stand with their hashes: another file under the same name is refused.
//
//nolint:gochecknoglobals // a table that nothing writes to
var (
	Core = Package{
		"tree-sitter", "0.24.0", "abd95af65ca2f4f7eca356343391ed669e764f37748b5352946f00f7fc78e734",
		"tree-sitter-0.24.0.tar.gz",
	}
	Pack = Package{
		"tree-sitter-language-pack", "0.7.2", "46fc96cc3bddfee7091fdedec2ae7e34218679e58241e8319bf82026f6d02eae",
		"tree_sitter_language_pack-0.7.2.tar.gz",
	}
	CSharp = Package{
		"tree-sitter-c-sharp", "0.23.1", "322e2cfd3a547a840375276b2aea3335fa6458aeac082f6c60fec3f745c967eb",
		"tree_sitter_c_sharp-0.23.1.tar.gz",
	}
)

// Packages lists the source distributions.
func Packages() []Package { return []Package{Core, Pack, CSharp} }

// WalkSources are our C sources by file name.
func WalkSources() (map[string][]byte, error) {
	entries, err := fs.ReadDir(walkSources, "csrc")
	if err != nil {
		return nil, fmt.Errorf("listing the walk's sources: %w", err)
	}
	sources := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		data, err := walkSources.ReadFile("csrc/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the walk's sources: %w", err)
		}
		sources[entry.Name()] = data
	}
	return sources, nil
}

// RuntimeSources is the digest of what the runtime is made from: the core's
// source distribution and our walk.
func RuntimeSources() string {
	return digest(Core.SHA256, "csrc/arena.h", "csrc/clock.h", "csrc/state.h", "csrc/walk.c", "csrc/walk.h")
}

// ScannerHeader is the file of WalkSources that every grammar includes first.
const ScannerHeader = "scanner.h"

// GrammarSources is the digest of what a grammar is made from; sources is that
// of its own files.
func GrammarSources(sources string) string { return digest(sources, "csrc/"+ScannerHeader) }

func digest(first string, names ...string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", first)
	for _, name := range names {
		// An embedded file that the callers name can always be read.
		data, _ := walkSources.ReadFile(name)
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
