package house_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// maxLines is how long a file may be that is read in one sitting. Tests are read, too.
const maxLines = 400

func TestFilesAreReadInOneSitting(t *testing.T) {
	t.Parallel()
	texts(t, func(path, text string) {
		if n := strings.Count(text, "\n"); n > maxLines {
			t.Errorf("%s has %d lines, want at most %d: split it by theme", path, n, maxLines)
		}
	}, ".go")
}

// Fields that share lines are hard to compare and to change. A row of a table, which
// has no type of its own, and tests may stay on one line.
func TestLiteralsHaveOneFieldPerLine(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.isTest {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.CompositeLit); ok && fields(lit) >= 4 && s.crowded(lit) {
				t.Errorf("%s:%d: a literal of four or more fields shares lines: give each field its own", s.path, s.line(lit.Pos()))
			}
			return true
		})
	}
}

// fields counts what a struct literal names. Elements of maps and lists are none.
func fields(lit *ast.CompositeLit) int {
	switch lit.Type.(type) {
	case nil, *ast.MapType, *ast.ArrayType:
		return 0
	}
	n := 0
	for _, e := range lit.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			if _, named := pair.Key.(*ast.Ident); named {
				n++
			}
		}
	}
	return n
}

// crowded says whether two fields of a literal, or a field and a brace, share a line.
func (s source) crowded(lit *ast.CompositeLit) bool {
	last := s.line(lit.Lbrace)
	for _, e := range lit.Elts {
		if s.line(e.Pos()) == last {
			return true
		}
		last = s.line(e.End())
	}
	return s.line(lit.Rbrace) == last
}

// Whoever reads three values and three names has to count which is whose.
func TestNoParallelAssignmentOfThree(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			left, right := 0, 0
			switch n := n.(type) {
			case *ast.AssignStmt:
				left, right = len(n.Lhs), len(n.Rhs)
			case *ast.ValueSpec:
				left, right = len(n.Names), len(n.Values)
			}
			if left >= 3 && left == right {
				t.Errorf("%s:%d: %d values are assigned at once: give each its own line", s.path, s.line(n.Pos()), left)
			}
			return true
		})
	}
}

// A bound is found by its name: the largest value is max…, the smallest min….
func TestBoundsAreMaxAndMin(t *testing.T) {
	t.Parallel()
	other := regexp.MustCompile(`^(?i:most|least|fewest)([A-Z]|$)`)
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if constants, ok := n.(*ast.GenDecl); ok && constants.Tok == token.CONST {
				for _, spec := range constants.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						if other.MatchString(name.Name) {
							t.Errorf("%s:%d: the constant %s is a bound: call it max… or min…", s.path, s.line(name.Pos()), name.Name)
						}
					}
				}
			}
			return true
		})
	}
}

// A return belongs to the lines before it.
func TestNoBlankLineBeforeAReturn(t *testing.T) {
	t.Parallel()
	apart := regexp.MustCompile(`\n\n\t+return\b`)
	texts(t, func(path, text string) {
		if at := apart.FindStringIndex(text); at != nil {
			t.Errorf("%s:%d: a blank line before a return: leave it out", path, strings.Count(text[:at[0]], "\n")+2)
		}
	}, ".go")
}
