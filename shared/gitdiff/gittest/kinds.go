package gittest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

const (
	ada = "ada@example.org"

	goText = "package a\n\nfunc one() int { return 1 }\n\nfunc two() int { return 2 }\n\n" +
		"func three(x int) int {\n\tif x > 2 {\n\t\treturn 3\n\t}\n\treturn x\n}\n"
	pyText = "def one():\n    return 1\n\n\nclass Two:\n    def three(self, x):\n        return x * 3\n"
)

// Kinds is a history with a pull request for each kind of change that git knows: renames,
// deletions, binaries, submodules, symbolic links, line ends, encodings, modes, empty
// files, files at the mirror's bounds, hostile names, and no file at all.
func Kinds(tb testing.TB) *History {
	tb.Helper()
	h := New(tb, "kinds")
	number := 1
	pull := func(title string, change func()) {
		tb.Helper()
		number++
		change()
		h.Git("Ada", ada, "add", "--all")
		h.Git("Ada", ada, "commit", "--quiet", "--allow-empty", "--message", title+" (#"+strconv.Itoa(number)+")")
	}
	h.first(number)
	pull("rename and edit, delete, mode", func() {
		h.Git("Ada", ada, "mv", "main.go", "moved.go")
		h.Write("moved.go", goText+"\nfunc four() {}\n")
		h.Git("Ada", ada, "mv", "util.js", "util.ts")
		h.Git("Ada", ada, "rm", "--quiet", "gone.py", "notes.txt")
		must.Do(tb, os.Chmod(filepath.Join(h.Dir, "tool.py"), 0o700)) //nolint:gosec // that it can be run is the change
	})
	pull("binaries", func() {
		h.Write("logo.png", "PNG\x00\x02")
		h.Write("now.py", "x = 1\x00\n") // a text becomes a binary
		h.Write("new.bin", strings.Repeat("\x00\xff", 100))
	})
	pull("a submodule", func() {
		h.Git("Ada", ada, "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1a", 20)+",lib")
		must.Do(tb, os.MkdirAll(filepath.Join(h.Dir, "lib"), 0o750))
	})
	pull("symbolic links", func() {
		must.Do(tb, os.Symlink("moved.go", filepath.Join(h.Dir, "link.go")))
		must.Do(tb, os.Remove(filepath.Join(h.Dir, "tool.py")))
		must.Do(tb, os.Symlink("/etc/passwd", filepath.Join(h.Dir, "tool.py"))) // a file becomes a link
	})
	h.contents(pull)
	h.names(pull)
	pull("nothing", func() {})
	return h
}

// contents changes texts: their line ends, encodings and sizes.
func (h *History) contents(pull func(title string, change func())) {
	h.tb.Helper()
	pull("line ends", func() {
		h.Write("dos.go", strings.ReplaceAll(goText, "\n", "\r\n"))
		h.Write("crlf.py", strings.ReplaceAll(pyText, "\n", "\r\n"))
	})
	pull("encodings", func() {
		h.Write("latin.py", "name = 'Andr\xe9'\nother = '\xff\xfe\xfd'\n")
		h.Write("cut.go", "package a // \xe2\x82\n")
		h.Write("bom.py", "\ufeff"+pyText)
		h.Write("sequence.js", "const a = '\u2028<&>';\n")
	})
	pull("empty files", func() {
		h.Write("empty.go", "")
		h.Write("now.py", "")
		h.Write("README.md", "")
	})
	pull("sizes", func() { h.sizes() })
	pull("sizes change", func() {
		h.Write("under.py", strings.Repeat("#", 999_990)+"\nx = 1\n")
		h.Write("over.py", "x = 2\n")
		h.Write("at.py", strings.Repeat("#", 1_000_001))
	})
}

// names changes files that their names decide about.
func (h *History) names(pull func(title string, change func())) {
	h.tb.Helper()
	pull("tests, and tests inside", func() {
		h.Write("moved_test.go", goText)
		h.Write("tests/data.json", "{}\n")
		h.Write("src/lib.rs", "pub fn one() -> i32 { 1 }\n\n#[cfg(test)]\nmod t { #[test] fn works() {} }\n")
	})
	pull("languages", func() {
		h.Write("Program.cs", "class A { int B() { return 1; } }\n")
		h.Write("unknown.zzz", "what is it\n")
		h.Write("Makefile", "all:\n\techo\n")
		h.Write("Dockerfile", "FROM scratch\n")
		h.Write("long.json", strings.Repeat("1\n", 500))
	})
	pull("names", func() {
		for _, name := range []string{
			"-rf.go", "with space.go", "tab\there.go", "line\nbreak.go", "ünï.go", "\x1b[31mred.go", "quo\"te.go", "bad\xff.go", "a/../b.go",
		} {
			h.Write(name, goText)
		}
	})
	pull("attributes", func() {
		h.Write(".gitattributes", "*.go -diff\n*.py binary\n*.md diff=evil filter=evil\n")
		h.Write("moved.go", goText)
		h.Write("crlf.py", pyText)
	})
}

// first is the commit that the pull requests of Kinds begin from. It has no parent.
func (h *History) first(number int) {
	h.tb.Helper()
	for name, text := range map[string]string{
		"main.go":   goText,
		"util.js":   "export function f(x) { return x + 1; }\n\nexport function g() { return f(2); }\n",
		"gone.py":   pyText,
		"tool.py":   pyText,
		"now.py":    "x = 1\n",
		"crlf.py":   pyText,
		"notes.txt": "one\ntwo\n",
		"README.md": "# A\n\ntext\n",
		"logo.png":  "PNG\x00\x01",
	} {
		h.Write(name, text)
	}
	h.Commit("Ada", ada, "Start (#"+strconv.Itoa(number)+")")
}

// sizes writes files around the bounds of the mirror and of the rules: 1,000,000 bytes,
// as they are and as UTF-8.
func (h *History) sizes() {
	h.tb.Helper()
	h.Write("under.py", strings.Repeat("#", 999_999))
	h.Write("at.py", strings.Repeat("#", 1_000_000))
	h.Write("over.py", strings.Repeat("#", 1_000_001))
	h.Write("grows.py", "#"+strings.Repeat("\xff", 400_000)) // 1,200,001 bytes as UTF-8
	h.Write("large.go", "package a\n"+strings.Repeat("// 0123456789abcdef\n", 300_000))
	h.Write("large.md", strings.Repeat("0123456789abcde\n", 100_000))
}
