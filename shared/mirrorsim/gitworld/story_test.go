package gitworld_test

import (
	"strings"
	"testing"

	"mirrorfleet/shared/gitdiff/gittest"
)

const longText = "package a\n\nfunc one() int { return 1 }\n\nfunc two() int { return 2 }\n\nfunc three() int { return 3 }\n"

// story is a history with a pull request of each kind, and commits that are
// none.
func story(t *testing.T) *gittest.History {
	t.Helper()
	h := gittest.New(t, "rocket")
	h.Write("main.go", longText)
	h.Write("old.go", longText+"// old\n")
	h.Write("logo.png", "PNG\x00\x01")
	h.Write("gone.txt", "bye\n")
	h.Commit("Ada", "ada@example.org", "Start (#1)") // without a parent: no pull request
	h.Write("main.go", longText+"func four() int { return 4 }\n")
	h.Write("new.go", "package a\n")
	h.Commit("Bo", "12345+BoTheDog@users.noreply.github.com", "Add four (#2)")

	h.Git("Cy", "cy@example.org", "checkout", "--quiet", "-b", "fix")
	h.Write("sub/dir/fix.go", "package fix\n")
	h.Commit("Cy", "cy@example.org", "work on it")
	h.Git("Ada", "ada@example.org", "checkout", "--quiet", "main")
	h.Write("other.txt", "meanwhile\n")
	h.Commit("Ada", "ada@example.org", "a commit of no pull request #9")
	h.Git("Ada", "ada@example.org", "merge", "--quiet", "--no-ff", "fix", "-m", "Merge pull request #3 from cy/fix", "-m", "Fix the dir")

	h.Git("Bo", "bo@example.org", "mv", "old.go", "moved.go")
	h.Write("logo.png", "PNG\x00\x02")
	h.Write("huge.txt", strings.Repeat("0123456789abcde\n", 70_000))
	h.Git("Bo", "bo@example.org", "rm", "--quiet", "gone.txt")
	h.Write("quoted \"ü\".md", "hello\n")
	h.Commit("Bo", "12345+BoTheDog@users.noreply.github.com", "Move things (#4)")
	return h
}
