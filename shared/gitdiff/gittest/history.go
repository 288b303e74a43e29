// Package gittest makes git histories for tests.
package gittest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// History is a repository that a test commits to. Each command is a day after the last,
// so that the same commands make the same commits.
type History struct {
	Dir string
	Now time.Time

	tb testing.TB
}

// New makes an empty repository, acme/NAME by its folder.
func New(tb testing.TB, name string) *History {
	tb.Helper()
	h := &History{filepath.Join(tb.TempDir(), "acme", name), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), tb}
	must.Do(tb, os.MkdirAll(h.Dir, 0o750))
	h.Git("Ada", "ada@example.org", "init", "--quiet", "--initial-branch=main")
	return h
}

// Git runs git as somebody, a day after the last time.
func (h *History) Git(name, email string, args ...string) string {
	h.tb.Helper()
	h.Now = h.Now.AddDate(0, 0, 1)
	cmd := exec.CommandContext(h.tb.Context(), "git", append([]string{"-C", h.Dir}, args...)...)
	date := h.Now.Format(time.RFC3339)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME="+name, "GIT_AUTHOR_EMAIL="+email,
		"GIT_COMMITTER_NAME="+name, "GIT_COMMITTER_EMAIL="+email, "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.tb.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Write writes a file of the work tree.
func (h *History) Write(path, text string) {
	h.tb.Helper()
	full := filepath.Join(h.Dir, path)
	must.Do(h.tb, os.MkdirAll(filepath.Dir(full), 0o750))
	must.Do(h.tb, os.WriteFile(full, []byte(text), 0o600))
}

// Commit commits everything that was written, and returns the commit.
func (h *History) Commit(name, email, title string) string {
	h.tb.Helper()
	h.Git(name, email, "add", "--all")
	h.Git(name, email, "commit", "--quiet", "--message", title)
	return h.Git(name, email, "rev-parse", "HEAD")
}
