package tokens_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring/tokens"
)

func TestExtension(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"a/b/main.go": "go", "main.GO": "go", "a.tar.GZ": "gz", "Dockerfile": "dockerfile", "x/MAKEFILE": "makefile",
		"a.b/Dockerfile": "dockerfile", "Dockerfile.prod": "prod", "a.go/README": "", ".gitignore": "gitignore", "a.": "",
		"": "", "dir/": "", "main.\u212a": "k", "conf.\u0130ni": "i\u0307ni", // the Kelvin sign is a k, İ no plain i
	} {
		if got := tokens.Extension(path); got != want {
			t.Errorf("Extension(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestIsTestFile(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"test/a.go": true, "x/tests/a.go": true, "x/Tests/a.go": true, "mytests/a.go": false, "tests": false,
		"a/__test__/b": true, "a/__tests__/b.js": true, "app/androidTest/x.kt": true, "app/androidTestDebug/x.kt": true,
		"app/androidTest2/x.kt": false, "integrationTest/x": true, "integrationTests/x": false, "spec/a.rb": true, "specs/a.rb": false,
		"Project.Tests/Foo.cs": true, "Project.Test/Foo.cs": true, "Project.Testing/Foo.cs": false,
		"test_a.py": true, "x/spec_helper.rb": true, "a_test.go": true, "a_tests.rs": true, "a_spec.rb": true, "a_test": false,
		"a.test.ts": true, "a.tests.ts": true, "a.spec.ts": true, "a.test.d.ts": false, "test.py": true, "tests.py": true,
		"atest.py": false, "test.a.py": false, "conftest.py": true, "conftest.py\n": true, "myconftest.py": false,
		"contest.py": false, "testing/a.go": false, "latest/a.go": false, "a_test.": false, "\u0130ntegrationtest/x": false,
	} {
		if got := tokens.IsTestFile(path); got != want {
			t.Errorf("IsTestFile(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestHasInlineTests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ext, head string
		want      bool
	}{
		{"rs", "fn a() {}\n  #[test]\nfn b() {}", true}, {"rs", "#[cfg(test)]\nmod t {}", true}, {"rs", "#![cfg(test)]", true},
		{"rs", "#[tokio::test]", true}, {"rs", "\t#[tokio::test(flavor)]", true}, {"rs", "#[tökio::test]", true},
		{"rs", "#[testing]", false}, {"rs", "#[test_case]", false}, {"rs", "#[testé]", false}, {"rs", "x #[test]", false},
		{"rs", "#[cfg(not(test))]", false}, {"rs", "#[test", true}, {"rs", "\v#[test]", false},
		{"zig", "test \"a\" {}", true}, {"zig", "  test{", true}, {"zig", "test a {", false}, {"zig", "test", false},
		{"d", "unittest {", true}, {"d", "unittest", true}, {"d", "unittests", false}, {"d", "unittest\u0301", true},
		{"go", "#[test]\nunittest", false}, {"d", "//\r\n\tunittest\r\n", true},
	} {
		if got := tokens.HasInlineTests(tt.ext, tt.head); got != tt.want {
			t.Errorf("HasInlineTests(%q, %q) = %v, want %v", tt.ext, tt.head, got, tt.want)
		}
	}
}

// Every row of the table in docs/rules/scoring.md#method, and their order: each
// file but the last of a method also fits a later row.
func TestMethods(t *testing.T) {
	t.Parallel()
	large := new(strings.Repeat("é", 500_001)) // bytes count, not letters
	limit := new(strings.Repeat("x", 1_000_000))
	for _, tt := range []struct {
		file tokens.File
		want tokens.FileFigures
	}{
		{tokens.File{Filename: "a.md", Status: "removed", Deletions: 7, Changes: 9},
			tokens.FileFigures{Method: tokens.MethodSkipped, Lines: 7, Category: tokens.CategoryNonCode}},
		{tokens.File{Filename: "test/a.go", Status: "removed", Deletions: 7, Changes: 9},
			tokens.FileFigures{Method: tokens.MethodSkipped, Lines: 7, Test: true, Category: tokens.CategoryTest}},
		{tokens.File{Filename: "a.yml", Status: "added", Changes: 400},
			tokens.FileFigures{Method: tokens.MethodLineCount, Lines: 400, Nodes: 300, Score: 300, Category: tokens.CategoryNonCode}},
		{tokens.File{Filename: "tests/a.json", Status: "modified", Changes: 10, Head: new("")},
			tokens.FileFigures{Method: tokens.MethodLineCount, Lines: 10, Nodes: 10, Score: 0.1 * 10 * 0.05, Test: true, Category: tokens.CategoryTest}},
		{tokens.File{Filename: "a.go", Status: "added", Changes: 4, Base: large},
			tokens.FileFigures{Method: tokens.MethodSkippedBinary, Lines: 4, Category: tokens.CategoryNonCode}},
		{tokens.File{Filename: "a.exe", Status: "added", Changes: 4, Head: large},
			tokens.FileFigures{Method: tokens.MethodSkippedLarge, Lines: 4, Category: tokens.CategoryNonCode}},
		{tokens.File{Filename: "a.go", Status: "modified", Changes: 4, Head: new("x"), Base: large},
			tokens.FileFigures{Method: tokens.MethodSkippedLarge, Lines: 4, Category: tokens.CategoryNonCode}},
		{tokens.File{Filename: "a.exe", Status: "modified", Changes: 4, Head: limit},
			tokens.FileFigures{Method: tokens.MethodSkippedNoGrammar, Lines: 4, Category: tokens.CategoryNonCode}},
		{tokens.File{Filename: "a_test.go", Status: "renamed", Changes: 4, Head: new("x")},
			tokens.FileFigures{Method: tokens.MethodSkippedNoBase, Lines: 4, Test: true, Category: tokens.CategoryTest}},
		{tokens.File{Filename: "a.go", Status: "added", Changes: 4, Head: new("")},
			tokens.FileFigures{Method: tokens.MethodTreeDiff, Lines: 4, Category: tokens.CategorySource}},
		{tokens.File{Filename: "a.rs", Status: "modified", Changes: 4, Head: new("#[test]"), Base: new("")},
			tokens.FileFigures{Method: tokens.MethodTreeDiff, Lines: 4, Test: true, Category: tokens.CategoryTest}},
		{tokens.File{Filename: "a.rs", Status: "modified", Changes: 4, Head: new(""), Base: new("#[test]")},
			tokens.FileFigures{Method: tokens.MethodTreeDiff, Lines: 4, Category: tokens.CategorySource}},
	} {
		plans := tokens.PlanFiles([]tokens.File{tt.file}, parseDefaults(t))
		tt.want.Filename = tt.file.Filename
		tt.want.Change = tokens.Change{Status: tt.file.Status, Deletions: tt.file.Deletions, Changes: tt.file.Changes}
		if diff := cmp.Diff(tt.want, plans[0].Figures); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", tt.file.Filename, tt.file.Status, diff)
		}
	}
}

// Without an entry in the weights a line-scored extension has weight 0.12.
func TestUnlistedLineWeight(t *testing.T) {
	t.Parallel()
	w, err := tokens.ParseWeights([]byte(`{"go": 1}`), []byte(`{"structural_bonus": {"a": 1}, "leaf_tokens": {"c": 1}}`))
	if err != nil {
		t.Fatal(err)
	}
	plans := tokens.PlanFiles([]tokens.File{{Filename: "a.md", Status: "added", Changes: 100}}, w)
	if got := plans[0].Figures.Score; got != 12 {
		t.Errorf("100 lines score %v, want 12", got)
	}
}

// When a path is repeated, the texts of its last entry count for all: the validator
// keeps texts by path.
func TestTextsBelongToAPath(t *testing.T) {
	t.Parallel()
	plans := tokens.PlanFiles([]tokens.File{
		{Filename: "a.go", Status: "added", Changes: 1, Head: new("first")},
		{Filename: "a.go", Status: "added", Changes: 2, Head: new("second"), Base: new("base")},
	}, parseDefaults(t))
	for i, plan := range plans {
		if plan.Head != "second" || plan.Base != "base" || plan.Figures.Lines != i+1 {
			t.Errorf("file %d: head %q, base %q, lines %d; want the last one's texts and its own lines", i, plan.Head, plan.Base, plan.Figures.Lines)
		}
	}
}

// Any path and text get a method; lower-casing and patterns never panic, and
// the case of ASCII letters decides nothing.
func FuzzPlanFiles(f *testing.F) {
	f.Add("src/Test_a.rs", "#[test]", "added", 3)
	f.Add("a.tests/\u0130.zig", "test {", "modified", -1)
	w := parseDefaults(f)
	f.Fuzz(func(t *testing.T, path, head, status string, changes int) {
		file := tokens.File{Filename: path, Status: status, Changes: changes, Head: &head}
		plan := tokens.PlanFiles([]tokens.File{file}, w)[0]
		if plan.Figures.Method == "" || plan.Figures.Category == "" || (plan.Language != "") != (plan.Figures.Method == tokens.MethodTreeDiff) {
			t.Errorf("%q: %+v", path, plan)
		}
		if utf8.ValidString(path) && strings.ToLower(path) == path {
			return
		}
		if lower := strings.Map(asciiLower, path); tokens.IsTestFile(lower) != tokens.IsTestFile(path) {
			t.Errorf("IsTestFile(%q) differs from that of %q", lower, path)
		}
	})
}

func asciiLower(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}
