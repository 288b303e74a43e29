package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
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
	file    *ast.File
}

// sources parses every Go file of the product.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("the root is not where this test looks: %v", err)
	}
	var all []source
	must.Do(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		s, err := parse(path, filepath.ToSlash(rel))
		all = append(all, s)
		return err
	}))
	if len(all) < 20 {
		t.Fatalf("read %d Go files: the walk does not see the product", len(all))
	}
	return all
}

func parse(path, rel string) (source, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	pkg := filepath.ToSlash(filepath.Dir(rel))
	s := source{path: rel, pkg: pkg, isTest: strings.HasSuffix(rel, "_test.go"), file: file}
	for _, spec := range file.Imports {
		s.imports = append(s.imports, strings.Trim(spec.Path.Value, `"`))
	}
	return s, nil
}
