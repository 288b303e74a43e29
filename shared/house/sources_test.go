package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// module is the import path of the root.
const module = "mirrorfleet"

// source is one parsed Go file.
type source struct {
	path    string // from the root, with slashes
	pkg     string // folder from the root
	isTest  bool
	imports []string
	lines   []int // of the imports
	file    *ast.File
	line    func(token.Pos) int
}

// texts calls use for every file that people read as text, with its path from the root.
func texts(t *testing.T, use func(path, text string), endings ...string) {
	t.Helper()
	top := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(top, "go.mod")); err != nil {
		t.Fatalf("the root is not where this test looks: %v", err)
	}
	seen := 0
	must.Do(t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != top && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin"):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(endings, filepath.Ext(path)):
			return nil
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		seen++
		use(filepath.ToSlash(rel), string(must.Get(os.ReadFile(path))(t)))
		return nil
	}))
	if seen == 0 {
		t.Fatalf("no files with %v: this test does not see the product", endings)
	}
}

// sources parses every Go file of the product.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	texts(t, func(path, text string) { all = append(all, must.Get(parse(path, text))(t)) }, ".go")
	if len(all) < 20 {
		t.Fatalf("read %d Go files: the walk does not see the product", len(all))
	}
	return all
}

func parse(rel, text string) (source, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, rel, text, parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	pkg := filepath.ToSlash(filepath.Dir(rel))
	s := source{path: rel, pkg: pkg, isTest: strings.HasSuffix(rel, "_test.go"), file: file}
	s.line = func(at token.Pos) int { return set.Position(at).Line }
	for _, spec := range file.Imports {
		s.imports = append(s.imports, strings.Trim(spec.Path.Value, `"`))
		s.lines = append(s.lines, s.line(spec.Pos()))
	}
	return s, nil
}
