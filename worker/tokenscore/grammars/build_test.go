package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// built copies what `make grammars` made, so that a test may break it.
func built(t *testing.T) string {
	t.Helper()
	from := fleettest.Grammars()
	if _, err := os.Stat(from); err != nil {
		t.Fatalf("there are no grammars in %s: run `make grammars`, or name another directory in MIRRORFLEET_GRAMMARS", from)
	}
	out := filepath.Join(t.TempDir(), "grammars")
	must.Do(t, os.CopyFS(out, os.DirFS(from)))
	return out
}

// offline builds with neither an index, nor sources, nor a compiler: whatever asks
// for one fails.
func offline(t *testing.T, out string, args ...string) (code int, stderr string) {
	t.Helper()
	var b bytes.Buffer
	nothing := filepath.Join(t.TempDir(), "nothing")
	code = run(context.Background(), append([]string{"-out", out, "-index", "http://127.0.0.1:1", "-sources", nothing, "-cc", nothing}, args...), &b)
	return code, b.String()
}

// With everything built, nothing is asked for, said or touched.
func TestSecondBuildDoesNothing(t *testing.T) {
	t.Parallel()
	out := built(t)
	before := must.Get(os.Stat(filepath.Join(out, manifest.Name)))(t)
	if code, stderr := offline(t, out); code != 0 || stderr != "" {
		t.Fatalf("code %d, said %q; want 0 and nothing", code, stderr)
	}
	after, err := os.Stat(filepath.Join(out, manifest.Name))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the manifest was replaced (%v)", err)
	}
}

// What a killed build left is put right: its work removed, the old grammars,
// caught between two renames, put back.
func TestKilledBuildIsPutRight(t *testing.T) {
	t.Parallel()
	out := built(t)
	b := builder{out: out}
	left := filepath.Join(filepath.Dir(out), workPrefix(out)+"123")
	for _, err := range []error{os.Rename(out, b.aside()), os.MkdirAll(filepath.Join(left, "stage"), 0o755)} {
		must.Do(t, err)
	}
	if code, stderr := offline(t, out); code != 0 {
		t.Fatalf("code %d, said %q; want 0", code, stderr)
	}
	for path, want := range map[string]bool{out: true, b.aside(): false, left: false} {
		if exists(path) != want {
			t.Errorf("%s exists: %v, want %v", path, !want, want)
		}
	}
}

// One damaged or outdated object is built anew alone; a build that fails, here
// for want of a compiler, names the command that installs it and leaves the old
// directory and nothing else.
func TestFailedBuildLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	out := built(t)
	broken := filepath.Join(out, "go.so")
	must.Do(t, os.WriteFile(broken, []byte("damaged"), 0o600))
	b := builder{out: out, old: readOld(out), arch: runtime.GOARCH}
	if got := b.stale(); len(got) != 1 || got[0] != "go" {
		t.Errorf("to be built: %v, want go alone", got)
	}
	code, stderr := offline(t, out)
	if code != 1 || !strings.Contains(stderr, "no C compiler") || !strings.Contains(stderr, "install") {
		t.Errorf("code %d, said %q; want 1 and how to install a compiler", code, stderr)
	}
	// A compiler, or what passes for one, but no index to download from.
	code, stderr = offline(t, out, "-cc", "true")
	if code != 1 || !strings.Contains(stderr, "downloading") || !strings.Contains(stderr, "PIP_INDEX_URL") {
		t.Errorf("code %d, said %q; want 1 and how to name an index", code, stderr)
	}
	if data, err := os.ReadFile(broken); string(data) != "damaged" {
		t.Errorf("the old directory changed: %q, %v", data, err)
	}
	entries := must.Get(os.ReadDir(filepath.Dir(out)))(t)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), workPrefix(out)) {
			t.Errorf("%s was left behind", entry.Name())
		}
	}
}

// A source that is not the one expected is never unpacked.
func TestForeignSourceIsRefused(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "grammars")
	cache := t.TempDir()
	for _, p := range manifest.Packages() {
		must.Do(t, writeFile(filepath.Join(cache, p.File), strings.NewReader("something else")))
	}
	if code, stderr := offline(t, out, "-cc", "true", "-sources", cache); code != 1 || !strings.Contains(stderr, "downloading") {
		t.Errorf("code %d, said %q; want it to download anew", code, stderr)
	}
	if exists(out) {
		t.Error("there is an output")
	}
}

// Objects for another processor than the one that is asked for would fail in a worker, on
// a machine that has no compiler.
func TestACompilerForAnotherProcessorIsRefused(t *testing.T) {
	t.Parallel()
	for arch, want := range map[string]string{"s390x": "want " + runtime.GOARCH, map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]: "-linux-gnu-gcc"} {
		var b bytes.Buffer
		args := []string{"-out", filepath.Join(t.TempDir(), "grammars"), "-arch", arch, "-cc", "cc", "-index", "http://127.0.0.1:1"}
		if code := run(t.Context(), args, &b); code != 1 || !strings.Contains(b.String(), "-arch "+arch) || !strings.Contains(b.String(), want) {
			t.Errorf("-arch %s: code %d, said %q; want 1, the flag and %q", arch, code, b.String(), want)
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-out", "x", "y"}, {"-out", "x", "-jobs", "0"}, {"-nonsense"}} {
		var b bytes.Buffer
		if code := run(context.Background(), args, &b); code != 2 || b.Len() == 0 {
			t.Errorf("%q: code %d, said %q; want 2 and why", args, code, b.String())
		}
	}
}

// Another C source, flag or package makes another recipe; languages have each
// their own.
func TestRecipes(t *testing.T) {
	t.Parallel()
	b := builder{arch: "amd64"}
	other := builder{arch: "arm64"}
	if b.runtimeRecipe() == other.runtimeRecipe() {
		t.Error("two processors have one recipe")
	}
	seen := map[string]string{b.runtimeRecipe(): "runtime"}
	for _, language := range tokens.Languages() {
		r := b.grammarRecipe(language)
		if other, taken := seen[r]; taken {
			t.Errorf("%s and %s have one recipe", language, other)
		}
		seen[r] = language
	}
	if b.recipe("a", nil) == b.recipe("b", nil) || b.recipe("a", []string{"-O1"}) == b.recipe("a", nil) {
		t.Error("other sources or flags give the same recipe")
	}
}

// Every grammar in the manifest has what a release must hand on.
func TestManifestNamesLicences(t *testing.T) {
	t.Parallel()
	out := built(t)
	m := must.Get(manifest.Read(out))(t)
	for _, g := range m.Languages {
		if g.License == "" || g.Repository == "" || g.ABI < oldestABI || g.ABI > newestABI || g.Sources == "" {
			t.Errorf("grammar %+v lacks something", g)
		}
	}
	notice, err := os.ReadFile(filepath.Join(out, noticeFile))
	if err != nil || strings.Count(string(notice), "\n| ") != len(tokens.Languages())+1 {
		t.Errorf("the notice does not list every language (%v):\n%s", err, notice)
	}
}
