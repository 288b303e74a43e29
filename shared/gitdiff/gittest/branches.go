package gittest

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Branches is a history of merged branches: each has left main some time ago, and some
// have merged main in between.
func Branches(tb testing.TB, pulls int) *History {
	tb.Helper()
	h := New(tb, "branches")
	dice := rand.New(rand.NewPCG(1, 2)) // the same history each time
	languages := []string{"go", "py", "ts", "md"}
	edit := func(n int) {
		for range 1 + dice.IntN(4) {
			language := languages[dice.IntN(len(languages))]
			h.Write(fmt.Sprintf("pull%d/file%d.%s", n, dice.IntN(5), language), source(language, dice))
		}
	}
	edit(0)
	h.Commit("Ada", ada, "Start")
	for n := 1; n <= pulls; n++ {
		branch := "fix-" + strconv.Itoa(n)
		h.Git("Cy", "cy@example.org", "checkout", "--quiet", "-b", branch)
		edit(n)
		h.Commit("Cy", "cy@example.org", "work")
		h.Git("Ada", ada, "checkout", "--quiet", "main")
		edit(100 + n)
		h.Commit("Ada", ada, "meanwhile")
		h.Git("Cy", "cy@example.org", "checkout", "--quiet", branch)
		if n%2 == 0 {
			h.Git("Cy", "cy@example.org", "merge", "--quiet", "--no-edit", "main")
		}
		edit(n)
		h.Git("Cy", "cy@example.org", "add", "--all")
		h.Git("Cy", "cy@example.org", "commit", "--quiet", "--allow-empty", "--message", "more work")
		h.Git("Ada", ada, "checkout", "--quiet", "main")
		title := fmt.Sprintf("Merge pull request #%d from cy/%s", n, branch)
		h.Git("Ada", ada, "merge", "--quiet", "--no-ff", branch, "-m", title, "-m", "Fix "+branch)
	}
	return h
}

// source is some code.
func source(language string, dice *rand.Rand) string {
	var b strings.Builder
	for i := range 2 + dice.IntN(20) {
		n := dice.IntN(1000)
		switch language {
		case "go":
			fmt.Fprintf(&b, "func f%d(x int) int {\n\tif x > %d {\n\t\treturn %d\n\t}\n\treturn x\n}\n", i, n, n+1)
		case "py":
			fmt.Fprintf(&b, "def f%d(x):\n    return [y * %d for y in range(x)]\n", i, n)
		case "ts":
			fmt.Fprintf(&b, "export const f%d = (x: number): number => x + %d;\n", i, n)
		default:
			fmt.Fprintf(&b, "- point %d\n", n)
		}
	}
	return b.String()
}

// Rewritten is a history with the contents of a repository's latest commits, each as a
// pull request. It borrows the repository's objects. It has no commit if there is no
// repository, or too short a clone: tests run without the project's own history, too.
func Rewritten(tb testing.TB, dir string, commits int) (h *History, pulls int) {
	tb.Helper()
	h = New(tb, "rewritten")
	ask := func(args ...string) string {
		out, err := exec.CommandContext(tb.Context(), "git", append([]string{"-C", dir}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	objects := ask("rev-parse", "--path-format=absolute", "--git-path", "objects")
	trees := strings.Fields(ask("log", "--first-parent", "--reverse", "--format=%T", "-"+strconv.Itoa(commits+1)))
	if len(trees) < 2 {
		return h, 0
	}
	h.Write(".git/objects/info/alternates", objects+"\n")
	parent := h.Git("Ada", ada, "commit-tree", "-m", "Start", trees[0])
	for i, tree := range trees[1:] {
		parent = h.Git("Bo", "bo@example.org", "commit-tree", "-p", parent, "-m", fmt.Sprintf("Change (#%d)", i+1), tree)
	}
	h.Git("Ada", ada, "update-ref", "refs/heads/main", parent)
	return h, len(trees) - 1
}
