package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// ours is the directory of our own C sources.
func (b *builder) ours() string { return filepath.Join(b.work, "ours") }

// writeOurs writes our C sources into the work directory. They are embedded in this program,
// so a build needs no checkout.
func (b *builder) writeOurs() error {
	sources, err := manifest.WalkSources()
	if err != nil {
		return err
	}
	for name, data := range sources {
		if err := writeFile(filepath.Join(b.ours(), name), bytes.NewReader(data)); err != nil {
			return err
		}
	}
	return nil
}

// compileRuntime compiles our walk and the parser's runtime as one unit: walk.c includes the
// runtime's sources, from lib/src.
func (b *builder) compileRuntime(ctx context.Context) error {
	lib := filepath.Join(b.unpacked(manifest.Core), "tree_sitter/core/lib")
	args := append(runtimeFlags(), "-I"+filepath.Join(lib, "src"), "-I"+filepath.Join(lib, "include"), filepath.Join(b.ours(), "walk.c"))
	b.made.Runtime = manifest.Object{
		File: manifest.RuntimeFile, Sources: manifest.RuntimeSources(), Recipe: b.runtimeRecipe(),
	}
	return b.compile(ctx, &b.made.Runtime, args)
}

// sources is the directory of a language's parser. docs/rules/grammars.md#sources has the
// layout of the packages.
func (b *builder) sources(language string) string {
	if language == manifest.CSharpLanguage {
		return filepath.Join(b.unpacked(manifest.CSharp), "src")
	}
	return filepath.Join(b.unpacked(manifest.Pack), "parsers", language, "src")
}

// sourceSize is the size of a language's parser in bytes. It stands for the time that
// compiling takes: parsers have from 16 kB to 58 MB.
func (b *builder) sourceSize(language string) int64 {
	info, err := os.Stat(filepath.Join(b.sources(language), "parser.c"))
	if err != nil {
		return 0 // compiling it says what is wrong
	}
	return info.Size()
}

// compileGrammar compiles one grammar and describes it for the manifest. What the manifest
// says of the sources is read from the files that are compiled, not from the package's
// description.
func (b *builder) compileGrammar(ctx context.Context, language string) (manifest.Grammar, error) {
	src := b.sources(language)
	from := b.origins[language]
	g := manifest.Grammar{
		Language:   language,
		Symbol:     manifest.Symbol(language),
		Repository: from.repository,
		Revision:   from.revision,
		License:    from.license,
	}
	var err error
	if g.ABI, err = grammarABI(filepath.Join(src, "parser.c")); err != nil {
		return g, fmt.Errorf("grammar %s: %w", language, err)
	}
	if g.Sources, err = b.digestSources(language); err != nil {
		return g, fmt.Errorf("grammar %s: %w", language, err)
	}
	g.File, g.Recipe = language+".so", b.grammarRecipe(language)
	// -include puts our header before everything else: it replaces malloc and <ctype.h> for
	// the grammar alone. scanner.h says why.
	args := append(grammarFlags(), "-include", filepath.Join(b.ours(), manifest.ScannerHeader), "-I"+src)
	if language == manifest.CSharpLanguage {
		args = append(args, "-I"+b.sources(headersOf))
	}
	args = append(args, filepath.Join(src, "parser.c"))
	if scanner := filepath.Join(src, "scanner.c"); exists(scanner) { // a simple grammar has none
		args = append(args, scanner)
	}
	if err := b.compile(ctx, &g.Object, args); err != nil {
		return g, fmt.Errorf("grammar %s: %w", language, err)
	}
	return g, nil
}

// compile compiles an object into the stage, and records its digest.
func (b *builder) compile(ctx context.Context, o *manifest.Object, args []string) error {
	target := filepath.Join(b.stage, o.File)
	args = slices.Concat(commonFlags(), args, []string{"-o", target})
	if output, err := exec.CommandContext(ctx, b.cc, args...).CombinedOutput(); err != nil {
		if ctx.Err() != nil { // the compiler was killed: its output would look like an error of the source
			return fmt.Errorf("stopped: %w", ctx.Err())
		}
		return fmt.Errorf("compiling %s with %s: %w\n%s", o.File, b.cc, err, bytes.TrimSpace(output))
	}
	var err error
	o.SHA256, err = manifest.FileDigest(target)
	return err
}

// abiLine is how a generated parser states its ABI, among its first definitions.
var abiLine = regexp.MustCompile(`(?m)^#define LANGUAGE_VERSION (\d+)$`)

// The language ABIs that the runtime takes: TREE_SITTER_MIN_COMPATIBLE_LANGUAGE_VERSION and
// TREE_SITTER_LANGUAGE_VERSION of tree-sitter 0.24.0.
const (
	oldestABI = 13
	newestABI = 14
)

// grammarABI reads a parser's language ABI. The build fails for an ABI that the runtime
// refuses: otherwise the language would silently have no nodes.
func grammarABI(parser string) (int, error) {
	f, err := os.Open(parser)
	if err != nil {
		return 0, fmt.Errorf("opening the parser: %w", err)
	}
	head := make([]byte, 4096) // the line is within the first 400 bytes of every parser
	n, err := f.Read(head)
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("reading the parser: %w", err)
	}
	found := abiLine.FindSubmatch(head[:n])
	if found == nil {
		return 0, fmt.Errorf("%s: no LANGUAGE_VERSION in its first lines", filepath.Base(parser))
	}
	abi, err := strconv.Atoi(string(found[1]))
	if err != nil || abi < oldestABI || abi > newestABI {
		return 0, fmt.Errorf("language ABI %s: the runtime takes %d to %d", found[1], oldestABI, newestABI)
	}
	return abi, nil
}

// digestSources is the SHA-256 over the names and bytes of all files from which a grammar is
// compiled. WalkDir goes in the order of names, so the digest is the same on every machine.
// The names are relative to the grammar, because the work directory has another name in
// every build.
func (b *builder) digestSources(language string) (string, error) {
	root := filepath.Dir(b.sources(language))
	h := sha256.New()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isSource(path) {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // a tree that this build made, in a directory of its own
		if err != nil {
			return fmt.Errorf("reading a source: %w", err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return fmt.Errorf("naming a source: %w", err)
		}
		// The length keeps the end of one file apart from the beginning of the next.
		fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(name), len(data))
		h.Write(data)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("digesting the sources: %w", err)
	}
	return manifest.GrammarSources(hex.EncodeToString(h.Sum(nil))), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
