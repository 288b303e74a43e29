// Package crashtest lists the crash points of the sources, for the tests that kill
// processes there. It finds a point that is marked and that no test names, and one that
// is named and marked nowhere. It reads how many processes in a row are to be killed at
// each.
package crashtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// Marks lists the names of the constants that are marked with crash.At in the
// Go files below the folders, tests left out: "EvaluationStored", each once,
// sorted. A mark whose argument is no constant of package crash is an error:
// nobody could derive a test from it.
func Marks(folders ...string) ([]string, error) {
	var marks []string
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			found, err := marksOf(path)
			marks = append(marks, found...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading the crash points below %s: %w", folder, err)
		}
	}
	slices.Sort(marks)
	return slices.Compact(marks), nil
}

// Kills is how many processes in a row are killed at a point: what
// MIRRORFLEET_TEST_KILLS says, 1 to 10 (a job has twenty deliveries), or 1.
func Kills(tb testing.TB) int {
	tb.Helper()
	text := os.Getenv("MIRRORFLEET_TEST_KILLS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 10 {
		tb.Fatalf("MIRRORFLEET_TEST_KILLS is %q, want 1 to 10: a job has twenty deliveries", text)
	}
	return n
}

// SideBySide runs subtests, so many at once, whatever -parallel says: most of
// their time is waiting for processes.
func SideBySide(t *testing.T, limit int, runs map[string]func(t *testing.T)) {
	t.Helper()
	var running errgroup.Group
	running.SetLimit(limit)
	for _, name := range slices.Sorted(maps.Keys(runs)) {
		running.Go(func() error { t.Run(name, runs[name]); return nil })
	}
	_ = running.Wait()
}

// marksOf lists the marks of one file.
func marksOf(path string) (marks []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parsing %s: %w", path, err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !isCrash(call.Fun, "At") {
			return true
		}
		point, ok := call.Args[0].(*ast.SelectorExpr)
		if !ok || !isCrash(point, point.Sel.Name) {
			err = fmt.Errorf("%s: crash.At of something else than a constant of package crash", path)
			return true
		}
		marks = append(marks, point.Sel.Name)
		return true
	})
	return marks, err
}

// isCrash says whether an expression is crash.<name>.
func isCrash(e ast.Expr, name string) bool {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	pkg, ok := selector.X.(*ast.Ident)
	return ok && pkg.Name == "crash"
}
