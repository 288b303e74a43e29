package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mirrorfleet/shared/scoring/tokens"
)

// Name is the manifest's file in a grammars directory.
const Name = "manifest.json"

// Version is the manifest's form that this build writes and reads.
const Version = 1

// RuntimeFile is the shared object of the runtime and the walk.
const RuntimeFile = "runtime.so"

// Manifest describes a grammars directory.
type Manifest struct {
	Version int `json:"version"`
	// Compiler is told for people; nothing depends on it.
	Compiler  string    `json:"compiler"`
	Runtime   Object    `json:"runtime"`
	Languages []Grammar `json:"languages"` // sorted by language
	// Licenses are the licence files beside this one.
	Licenses []string `json:"licenses"`
}

// Object is one shared object.
type Object struct {
	File string `json:"file"`
	// Sources is the sha256 over everything that decides the figures.
	Sources string `json:"sources"`
	// Recipe is the sha256 over Sources and how they are compiled: another
	// recipe means that the object is built anew.
	Recipe string `json:"recipe"`
	// SHA256 is the file's own.
	SHA256 string `json:"sha256"`
}

// Grammar is the shared object of one language.
type Grammar struct {
	Object

	Language   string `json:"language"`
	Symbol     string `json:"symbol"` // the function that returns the language
	ABI        int    `json:"abi"`
	License    string `json:"license"`
	Repository string `json:"repository"` // where the grammar is developed
	Revision   string `json:"revision,omitempty"`
}

// CSharpLanguage is the one language that comes from a package of its own.
const CSharpLanguage = "csharp"

// Symbol is the function of a language's shared object.
func Symbol(language string) string {
	if language == CSharpLanguage {
		return "tree_sitter_c_sharp"
	}
	return "tree_sitter_" + language
}

// Read reads a directory's manifest.
func Read(dir string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, Name))
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of the grammars: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s: not a manifest: %w", filepath.Join(dir, Name), err)
	}
	if m.Version != Version {
		return nil, fmt.Errorf("%s: version %d, this build reads %d", filepath.Join(dir, Name), m.Version, Version)
	}
	return &m, nil
}

// Grammar finds a language's entry.
func (m *Manifest) Grammar(language string) (*Grammar, bool) {
	for i := range m.Languages {
		if m.Languages[i].Language == language {
			return &m.Languages[i], true
		}
	}
	return nil, false
}

// Digest identifies the figures that these grammars give.
func (m *Manifest) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "runtime %s\n", m.Runtime.Sources)
	for _, g := range m.Languages {
		fmt.Fprintf(h, "%s %s %d %s\n", g.Language, g.Symbol, g.ABI, g.Sources)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Verify checks that the directory is whole: every language of the rules, every
// file as it was built, the runtime made from this build's walk.
func (m *Manifest) Verify(dir string) error {
	for _, language := range tokens.Languages() {
		if _, found := m.Grammar(language); !found {
			return fmt.Errorf("%s: no grammar of language %s", filepath.Join(dir, Name), language)
		}
	}
	if want := RuntimeSources(); m.Runtime.Sources != want {
		return fmt.Errorf("%s: made from another version of the sources (%.12s, this build needs %.12s)",
			filepath.Join(dir, m.Runtime.File), m.Runtime.Sources, want)
	}
	objects := []Object{m.Runtime}
	for _, g := range m.Languages {
		objects = append(objects, g.Object)
	}
	for _, o := range objects {
		sum, err := FileDigest(filepath.Join(dir, o.File))
		if err != nil {
			return err
		}
		if sum != o.SHA256 {
			return fmt.Errorf("%s: not as it was built (sha256 %.12s, the manifest has %.12s)",
				filepath.Join(dir, o.File), sum, o.SHA256)
		}
	}
	for _, name := range m.Licenses {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("licence file: %w", err)
		}
	}
	return nil
}

// FileDigest is the sha256 of a file.
func FileDigest(path string) (sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("opening a file to check it: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
