package gitdiff_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mirrorfleet/shared/gitdiff"
	"mirrorfleet/shared/gitdiff/gittest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ada = "ada@example.org"

func open(t *testing.T, dir string) *gitdiff.Repository {
	t.Helper()
	r := must.Get(gitdiff.Open(t.Context(), dir))(t)
	t.Cleanup(func() { must.Do(t, r.Close()) })
	return r
}

// told is a file without its texts.
func told(f *tokens.File) string {
	size := func(s *string) string {
		if s == nil {
			return "null"
		}
		if !utf8.ValidString(*s) {
			return "INVALID"
		}
		return fmt.Sprint(len(*s))
	}
	text := fmt.Sprintf("%s %q +%d -%d head %s base %s", f.Status, f.Filename, f.Additions, f.Deletions, size(f.Head), size(f.Base))
	if f.PreviousFilename != "" {
		text += fmt.Sprintf(" from %q", f.PreviousFilename)
	}
	if f.Binary {
		text += " binary"
	}
	return text
}

// TestKinds is what the mirror says of each kind of change.
func TestKinds(t *testing.T) {
	t.Parallel()
	h := gittest.Kinds(t)
	r := open(t, h.Dir)
	commits := strings.Fields(h.Git("Ada", ada, "log", "--reverse", "--format=%H"))
	for i, want := range kinds {
		got := must.Get(r.Change(t.Context(), commits[i], commits[i+1], gitdiff.Bounds{}))(t)
		files := []string{}
		for j := range got.Files {
			files = append(files, told(&got.Files[j]))
		}
		if diff := cmp.Diff(want.files, files); diff != "" {
			t.Errorf("pull request %d (-want +got):\n%s", i+2, diff)
		}
		if diff := cmp.Diff(want.foreign, got.Foreign); diff != "" {
			t.Errorf("pull request %d, not UTF-8 (-want +got):\n%s", i+2, diff)
		}
	}
	if len(kinds) != len(commits)-1 {
		t.Errorf("%d kinds are known, the history has %d", len(kinds), len(commits)-1)
	}
}

// What lies in the work tree, in the index or in the repository's own configuration
// changes nothing; and neither does the environment.
//
//nolint:paralleltest // it sets variables
func TestOnlyCommitsCount(t *testing.T) {
	h := gittest.Kinds(t)
	r := open(t, h.Dir)
	all := func() (changes []gitdiff.Change) {
		commits := strings.Fields(h.Git("Ada", ada, "log", "--reverse", "--format=%H", "HEAD"))
		for i := range commits[1:] {
			changes = append(changes, must.Get(r.Change(t.Context(), commits[i], commits[i+1], gitdiff.Bounds{}))(t))
		}
		return changes
	}
	want := all()
	h.Write(".gitattributes", "* binary\n* -diff\n")
	h.Write("moved.go", "package changed\n")
	h.Write(".gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = x\n\tignore = all\n")
	for name, value := range map[string]string{
		"diff.renames": "false", "diff.renameLimit": "1", "diff.algorithm": "patience", "diff.ignoreSubmodules": "all", "core.bigFileThreshold": "1",
		"core.attributesFile": filepath.Join(h.Dir, ".gitattributes"), "core.quotePath": "true", "submodule.lib.ignore": "all",
		"diff.orderFile": "/dev/null", "core.abbrev": "5", "diff.noprefix": "true", "diff.context": "0",
	} {
		h.Git("Ada", ada, "config", name, value)
	}
	if diff := cmp.Diff(want, all()); diff != "" {
		t.Errorf("after changes outside of commits:\n%.2000s", diff)
	}
	for name, value := range map[string]string{
		"GIT_DIR": "/nowhere", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "diff.renames", "GIT_CONFIG_VALUE_0": "false", "GIT_DIFF_OPTS": "-u9",
		"GIT_EXTERNAL_DIFF": "false", "GIT_OBJECT_DIRECTORY": "/nowhere",
	} {
		t.Setenv(name, value)
	}
	r2, err := gitdiff.Open(t.Context(), h.Dir)
	if err != nil {
		t.Fatalf("Open with variables of git's: %v", err)
	}
	defer r2.Close()
	found := must.Get(r2.Range(t.Context(), "HEAD~14..HEAD"))(t)
	if got := must.Get(r2.Change(t.Context(), found.MergeBase, found.Head, gitdiff.Bounds{}))(t); len(got.Files) < 30 {
		t.Errorf("with variables of git's: %d files, want those of the whole history", len(got.Files))
	}
}

// A hostile repository has nothing run, fetched or asked.
func TestNothingOfARepositoryIsRun(t *testing.T) {
	t.Parallel()
	h := gittest.Kinds(t)
	trap := filepath.Join(t.TempDir(), "trap")
	spring := "touch " + trap
	script := filepath.Join(t.TempDir(), "script")
	must.Do(t, os.WriteFile(script, []byte("#!/bin/sh\n"+spring+"\n"), 0o700))
	for name, value := range map[string]string{
		"core.fsmonitor": script, "core.hooksPath": filepath.Dir(script), "core.pager": spring, "core.sshCommand": spring, "core.editor": spring,
		"core.askPass": script, "diff.external": script, "diff.evil.command": script, "diff.evil.textconv": script, "filter.evil.clean": spring,
		"filter.evil.smudge": spring, "filter.evil.process": spring, "gpg.program": script, "log.showSignature": "true", "pager.diff-tree": spring,
		"pager.log": spring, "alias.diff-tree": "!" + spring, "alias.rev-parse": "!" + spring, "credential.helper": "!" + spring,
		"core.alternateRefsCommand": spring, "uploadpack.packObjectsHook": script, "core.gitProxy": script, "protocol.ext.allow": "always",
		"remote.origin.url": "ext::" + script, "remote.origin.promisor": "true", "remote.origin.uploadpack": script, "extensions.partialClone": "origin",
		"core.repositoryFormatVersion": "1", "interactive.diffFilter": spring, "trace2.eventTarget": trap,
	} {
		h.Git("Ada", ada, "config", name, value)
	}
	h.Write(".git/info/attributes", "* diff=evil filter=evil\n")
	for _, hook := range []string{"post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"} {
		h.Write(".git/hooks/"+hook, "#!/bin/sh\n"+spring+"\n")
		must.Do(t, os.Chmod(filepath.Join(h.Dir, ".git/hooks", hook), 0o700))
	}
	_ = os.Remove(trap) // what setting it up may have sprung
	r := open(t, h.Dir)
	found := must.Get(r.Range(t.Context(), "HEAD~14..HEAD"))(t)
	must.Get(r.Change(t.Context(), found.MergeBase, found.Head, gitdiff.Bounds{}))(t)
	must.Get(r.Lines(t.Context(), []gitdiff.Range{found}))(t)
	must.Get(r.Git(t.Context(), nil, "log", "--format=%H", "HEAD", "--"))(t)

	// A text that is missing would be fetched by any other git.
	blob := h.Git("Ada", ada, "rev-parse", "HEAD:moved.go")
	must.Do(t, os.Remove(filepath.Join(h.Dir, ".git/objects", blob[:2], blob[2:])))
	again := open(t, h.Dir)
	_, err := again.Change(t.Context(), found.MergeBase, found.Head, gitdiff.Bounds{})
	if _, mendable := errors.AsType[*gitdiff.Error](err); !mendable || !strings.Contains(err.Error(), "git fetch --refetch") {
		t.Errorf("a missing text: %v, want an error that says how to get it", err)
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("something of the repository was run")
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	h := gittest.New(t, "large")
	h.Write("a", "")
	h.Commit("Ada", ada, "start")
	for i := range 4 {
		h.Write(fmt.Sprintf("%d.txt", i), strings.Repeat("x", 700_000))
	}
	h.Commit("Ada", ada, "four files")
	r := open(t, h.Dir)
	found := must.Get(r.Range(t.Context(), "HEAD~1..HEAD"))(t)
	for _, c := range []struct {
		most gitdiff.Bounds
		want string
	}{
		{gitdiff.Bounds{}, ""},
		{gitdiff.Bounds{Files: 4, Bytes: 2_800_000}, ""},
		{gitdiff.Bounds{Files: 3}, "4 files, and a pull request lists 3"},
		{gitdiff.Bounds{Bytes: 2_799_999}, "more than 2 MiB"},
	} {
		_, err := r.Change(t.Context(), found.MergeBase, found.Head, c.most)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("within %+v: %v, want %q", c.most, err, c.want)
		}
	}
}

// As a pull request has it: what the base got since does not count.
func TestRange(t *testing.T) {
	t.Parallel()
	h := gittest.New(t, "range")
	h.Write("a.go", "package a\n")
	start := h.Commit("Ada", ada, "start")
	h.Git("Ada", ada, "checkout", "--quiet", "-b", "fix")
	h.Write("b.go", "package b\n")
	h.Commit("Ada", ada, "one")
	h.Write("c.go", "package c\n")
	tip := h.Commit("Ada", ada, "two")
	h.Git("Ada", ada, "checkout", "--quiet", "main")
	h.Write("a.go", "package changed\n")
	main := h.Commit("Ada", ada, "meanwhile")
	h.Git("Ada", ada, "tag", "-a", "v1", "-m", "a tag", tip)
	h.Git("Ada", ada, "checkout", "--quiet", "--orphan", "alone")
	h.Commit("Ada", ada, "alone")
	h.Git("Ada", ada, "checkout", "--quiet", "fix")
	sub := filepath.Join(h.Dir, "folder")
	must.Do(t, os.MkdirAll(sub, 0o750))
	want := gitdiff.Range{Base: main, Head: tip, MergeBase: start, Commits: 2}
	for _, c := range []struct{ dir, text string }{
		{h.Dir, "main..fix"}, {h.Dir, "main...fix"}, {h.Dir, "main.."}, {h.Dir, "main..v1"}, {h.Dir, main + ".." + tip}, {sub, "main..HEAD"},
		{filepath.Join(h.Dir, ".git"), "main..HEAD"},
	} {
		r := open(t, c.dir)
		if got := must.Get(r.Range(t.Context(), c.text))(t); got != want {
			t.Errorf("%s: %+v, want %+v", c.text, got, want)
		}
		got := must.Get(r.Change(t.Context(), want.MergeBase, want.Head, gitdiff.Bounds{}))(t)
		if len(got.Files) != 2 || got.Files[0].Filename != "b.go" || got.Files[1].Filename != "c.go" {
			t.Errorf("%s: %+v, want b.go and c.go alone", c.text, got.Files)
		}
	}
	r := open(t, h.Dir)
	for text, want := range map[string]string{
		"main": "want BASE..HEAD", "": "want BASE..HEAD", "..": "want BASE..HEAD", "nowhere..HEAD": `no commit "nowhere"`,
		"--output=x..HEAD": "no name of a commit", "main..a\nb": "no name of a commit", "main.." + strings.Repeat("x", 600): "no name of a commit",
		"main..alone": "no common base", "fix..main~1": "no commit: everything", "main..main": "no commit: everything",
		"main..HEAD:b.go": "no commit",
	} {
		_, err := r.Range(t.Context(), text)
		if _, mendable := errors.AsType[*gitdiff.Error](err); !mendable || !strings.Contains(err.Error(), want) {
			t.Errorf("range %.40q: %v, want an error with %q", text, err, want)
		}
	}

	shallow := filepath.Join(t.TempDir(), "shallow")
	h.Git("Ada", ada, "clone", "--quiet", "--depth", "1", "--no-single-branch", "file://"+h.Dir, shallow)
	if _, err := open(t, shallow).Range(t.Context(), "origin/main..origin/fix"); err == nil || !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Errorf("in a shallow clone: %v, want what to do", err)
	}
	if _, err := open(t, shallow).Range(t.Context(), start+"..origin/fix"); err == nil || !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Errorf("a commit that a shallow clone lacks: %v, want what to do", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	empty := t.TempDir()
	must.Do(t, os.WriteFile(filepath.Join(empty, "file"), nil, 0o600))
	for dir, want := range map[string]string{
		empty: "no git repository", filepath.Join(empty, "file"): "no directory", filepath.Join(empty, "nowhere"): "no directory", "": "no directory",
	} {
		_, err := gitdiff.Open(t.Context(), dir)
		if _, mendable := errors.AsType[*gitdiff.Error](err); !mendable || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v, want an error with %q", dir, err, want)
		}
	}
	t.Setenv("PATH", empty)
	if _, err := gitdiff.Open(t.Context(), empty); err == nil || !strings.Contains(err.Error(), "git is not installed") {
		t.Errorf("without git: %v, want how to get it", err)
	}
	if _, err := exec.LookPath("git"); err == nil {
		t.Error("git is still in PATH: the case above holds nothing")
	}
}
