package gitworld_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// history is a repository that a test commits to.
type history struct {
	t   *testing.T
	dir string
	now time.Time
}

func newHistory(t *testing.T, name string) *history {
	t.Helper()
	h := &history{t, filepath.Join(t.TempDir(), "acme", name), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	must.Do(t, os.MkdirAll(h.dir, 0o750))
	h.git("Ada", "ada@example.org", "init", "--quiet", "--initial-branch=main")
	return h
}

// git runs git as somebody, a day after the last time.
func (h *history) git(name, email string, args ...string) string {
	h.t.Helper()
	h.now = h.now.AddDate(0, 0, 1)
	cmd := exec.CommandContext(h.t.Context(), "git", append([]string{"-C", h.dir}, args...)...)
	date := h.now.Format(time.RFC3339)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME="+name, "GIT_AUTHOR_EMAIL="+email,
		"GIT_COMMITTER_NAME="+name, "GIT_COMMITTER_EMAIL="+email, "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (h *history) write(path, text string) {
	h.t.Helper()
	full := filepath.Join(h.dir, path)
	must.Do(h.t, os.MkdirAll(filepath.Dir(full), 0o750))
	must.Do(h.t, os.WriteFile(full, []byte(text), 0o600))
}

func (h *history) commit(name, email, title string) string {
	h.t.Helper()
	h.git(name, email, "add", "--all")
	h.git(name, email, "commit", "--quiet", "--message", title)
	return h.git(name, email, "rev-parse", "HEAD")
}

const longText = "package a\n\nfunc one() int { return 1 }\n\nfunc two() int { return 2 }\n\nfunc three() int { return 3 }\n"

// story is a history with a pull request of each kind, and commits that are
// none.
func story(t *testing.T) *history {
	t.Helper()
	h := newHistory(t, "rocket")
	h.write("main.go", longText)
	h.write("old.go", longText+"// old\n")
	h.write("logo.png", "PNG\x00\x01")
	h.write("gone.txt", "bye\n")
	h.commit("Ada", "ada@example.org", "Start (#1)") // without a parent: no pull request
	h.write("main.go", longText+"func four() int { return 4 }\n")
	h.write("new.go", "package a\n")
	h.commit("Bo", "12345+BoTheDog@users.noreply.github.com", "Add four (#2)")

	h.git("Cy", "cy@example.org", "checkout", "--quiet", "-b", "fix")
	h.write("sub/dir/fix.go", "package fix\n")
	h.commit("Cy", "cy@example.org", "work on it")
	h.git("Ada", "ada@example.org", "checkout", "--quiet", "main")
	h.write("other.txt", "meanwhile\n")
	h.commit("Ada", "ada@example.org", "a commit of no pull request #9")
	h.git("Ada", "ada@example.org", "merge", "--quiet", "--no-ff", "fix", "-m", "Merge pull request #3 from cy/fix", "-m", "Fix the dir")

	h.git("Bo", "bo@example.org", "mv", "old.go", "moved.go")
	h.write("logo.png", "PNG\x00\x02")
	h.write("huge.txt", strings.Repeat("0123456789abcde\n", 70_000))
	h.git("Bo", "bo@example.org", "rm", "--quiet", "gone.txt")
	h.write("quoted \"ü\".md", "hello\n")
	h.commit("Bo", "12345+BoTheDog@users.noreply.github.com", "Move things (#4)")
	return h
}
