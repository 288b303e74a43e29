package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/preview"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/gitdiff/gittest"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

// histories are the repositories whose pull requests a round and previews score: those
// that MIRRORFLEET_PREVIEW_GIT names with commas between them, or three that are made.
func histories(t *testing.T) []string {
	t.Helper()
	if given := os.Getenv("MIRRORFLEET_PREVIEW_GIT"); given != "" {
		return strings.Split(given, ",")
	}
	dirs := []string{gittest.Kinds(t).Dir, gittest.Branches(t, 2).Dir}
	own, pulls := gittest.Rewritten(t, "..", 2)
	if pulls == 0 {
		t.Log("the project's own history is not here, or a shallow clone of one commit")
		return dirs
	}
	return append(dirs, own.Dir)
}

// TestPreviewIsARound: every pull request of three repositories has the figures in a
// round that its preview gave: each file's, the totals and the base score.
//
//nolint:tparallel // all of the group have ended when it returns
func TestPreviewIsARound(t *testing.T) {
	t.Parallel()
	dirs := histories(t)
	started := jobstreamtest.Start(t)
	world := fleettest.Simulate(t, "--world", "git:"+strings.Join(dirs, ","), "--limit", "0")
	common := []string{
		"--nats", started.NATSURL(), "--redis", started.RedisURL(), "--mirror", world.URL,
		"--limit-requests", "2000", "--limit-window", "1s", "--limit-horizon", "100ms",
	}
	declare(t, started.NATSURL())
	w := work(t, "previewed", nil, append([]string{"--retry-delays", "10ms,10ms,10ms"}, common...)...) // answers that stay inconsistent
	round := decode(t, run(t, "producer", append([]string{
		"run", "--json", "--as-of", world.AsOf, "--miners", world.Miners, "--registry", world.Registry,
	}, common...)...))
	w.stop()
	var got scoring.Outcome
	must.Do(t, json.Unmarshal(round.Outcome, &got))
	var compared atomic.Int64
	t.Run("pulls", func(t *testing.T) {
		for i := range got.Miners {
			for j := range got.Miners[i].PullRequests {
				pull := &got.Miners[i].PullRequests[j]
				name := fmt.Sprintf("%s#%d", pull.Repository, pull.Number)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					shown := printedHere[view.PullRequest](t, "show", round.Round, "--pr", name, "--nats", started.NATSURL())
					at := pull.Listed
					seen := printed[preview.Preview](t, "Preview", 0, "preview", "--registry", world.Registry, "--repository", pull.Repository,
						"--git", dirOf(t, dirs, at.HeadSHA), "--range", at.BaseSHA+".."+at.HeadSHA)
					samePull(t, name, shown.PullRequest, &seen)
					compared.Add(1)
				})
			}
		}
	})
	if minimum := int64(15); compared.Load() < minimum { // a shallow clone has no history of its own
		t.Errorf("%d pull requests were compared, want at least %d", compared.Load(), minimum)
	}
	t.Logf("%d pull requests have the figures of their previews", compared.Load())
}

// samePull compares what a round and a preview make of one pull request.
func samePull(t *testing.T, name string, want *scoring.PullRequestOutcome, got *preview.Preview) {
	t.Helper()
	if got.Scored != want.Scored || got.BaseScore != want.BaseScore || !cmp.Equal(got.Base, want.Reasons.Base) {
		t.Errorf("%s: preview %v %v %v, the round %v %v %v", name, got.Scored, got.BaseScore, got.Base, want.Scored, want.BaseScore, want.Reasons.Base)
	}
	if diff := cmp.Diff(want.Tokens, got.Tokens); diff != "" {
		t.Errorf("%s (-round +preview):\n%s", name, diff)
	}
}

// printedHere is what a command that reads NATS prints with --json, in this process.
func printedHere[T any](t *testing.T, args ...string) (v T) {
	t.Helper()
	text, stderr, code := inProcess(t, terminal.Style{}, append(args, "--json")...)
	if err := json.Unmarshal([]byte(text), &v); err != nil || code != 0 {
		t.Fatalf("%v: exit %d, %v\n%s", args, code, err, stderr)
	}
	return v
}

// dirOf is the repository that has a commit.
func dirOf(t *testing.T, dirs []string, commit string) string {
	t.Helper()
	at := slices.IndexFunc(dirs, func(dir string) bool {
		return exec.CommandContext(t.Context(), "git", "-C", dir, "cat-file", "-e", commit).Run() == nil
	})
	if at < 0 {
		t.Fatalf("no repository has commit %s", commit)
	}
	return dirs[at]
}

// previewRegistry is a registry of two repositories, and the arguments that name it.
func previewRegistry(tb testing.TB) []string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "registry.json")
	must.Do(tb, os.WriteFile(path, []byte(`{"acme/kinds": {"emission_share": 0.3}, "acme/kettles": {"emission_share": 0.2}, "other/thing": {"emission_share": 0.1}}`), 0o600))
	return []string{"preview", "--registry", path}
}

// Whatever cannot be previewed is refused with the reason, the values that would be right
// or the remedy, and exit code 2.
func TestPreviewRefuses(t *testing.T) {
	t.Parallel()
	h := gittest.Kinds(t)
	asked := previewRegistry(t)
	all := map[string]string{"git": h.Dir, "range": "HEAD~1..HEAD", "repository": "acme/kinds"}
	h.Git("Ada", "ada@example.org", "checkout", "--quiet", "--orphan", "alone")
	h.Git("Ada", "ada@example.org", "commit", "--quiet", "-m", "alone")
	h.Git("Ada", "ada@example.org", "checkout", "--quiet", "main")
	for _, c := range []struct{ name, value, want string }{
		{"range", "", "--range is required"},
		{"repository", "", "--repository is required"},
		{"registry", "", "--registry is required"},
		{"registry", filepath.Join(h.Dir, "nowhere"), "--registry"},
		{"registry", filepath.Join(h.Dir, "README.md"), "README.md"},
		{"repository", "acme/kind", `"acme/kind" is not in`},
		{"repository", "acme/kind", "near it: acme/kinds"},
		{"repository", "nobody/else", "it has acme/kinds, acme/kettles, other/thing"},
		{"git", filepath.Dir(h.Dir), "is no git repository"},
		{"git", filepath.Join(h.Dir, "nowhere"), "is no directory"},
		{"range", "HEAD", "want BASE..HEAD"},
		{"range", "nowhere..HEAD", `no commit "nowhere"`},
		{"range", "alone..main", "no common base"},
		{"range", "main..main~1", "no commit: everything"},
		{"issue", "mine", "want standard or maintainer"},
		{"unloadable", "klingon", `unloadable language "klingon"`},
		{"weights", h.Dir, "--weights"},
		{"grammars", h.Dir, "the grammars in"},
	} {
		args := slices.Clone(asked)
		flags := maps.Clone(all)
		flags[c.name] = c.value
		if c.name == "grammars" || c.name == "weights" {
			flags["range"] = "HEAD~4..HEAD" // with files
		}
		for name, value := range flags {
			args = append(args, "--"+name, value)
		}
		if got := run(t, "producer", args...); got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, c.want) {
			t.Errorf("--%s %q: exit %d saying %q, want 2 with %q", c.name, c.value, got.code, got.stderr, c.want)
		}
	}
}

// Without a worker beside it, a preview says what is missing.
func TestPreviewNeedsAWorker(t *testing.T) {
	t.Parallel()
	h := gittest.Kinds(t)
	alone := filepath.Join(t.TempDir(), "producer")
	must.Do(t, os.Link(fleettest.Path(t, "producer"), alone))
	out, err := exec.CommandContext(t.Context(), alone, append(previewRegistry(t), "--git", h.Dir, "--range", "HEAD~4..HEAD",
		"--repository", "acme/kinds")...).CombinedOutput()
	if ended, is := errors.AsType[*exec.ExitError](err); !is || ended.ExitCode() != 2 || !strings.Contains(string(out), "install worker beside producer") {
		t.Errorf("%v: %s, want exit 2 and the remedy", err, out)
	}
}

// A preview sends nothing: it runs in a namespace without any network.
func TestPreviewNeedsNoNetwork(t *testing.T) {
	t.Parallel()
	h := gittest.Kinds(t)
	args := append([]string{"--user", "--map-root-user", "--net", fleettest.Path(t, "producer")}, append(previewRegistry(t),
		"--git", h.Dir, "--range", "HEAD~4..HEAD", "--repository", "Acme/Kinds", "--label", "bug", "--issue", "standard")...)
	if exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--net", "true").Run() != nil {
		t.Skip("the kernel gives no namespace here")
	}
	cmd := exec.CommandContext(t.Context(), "unshare", args...)
	cmd.Env = append(os.Environ(), "MIRRORFLEET_GRAMMARS="+fleettest.Grammars())
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Base score") {
		t.Errorf("without a network: %v\n%s", err, out)
	}
}

// BenchmarkPreview is a preview of a change of 50 files from a cold start: every process
// that it takes begins anew.
func BenchmarkPreview(b *testing.B) {
	h := gittest.New(b, "kinds")
	h.Write("README.md", "# Kinds\n")
	h.Commit("Ada", "ada@example.org", "start")
	for i := range 50 {
		var text strings.Builder
		for j := range 100 {
			fmt.Fprintf(&text, "func f%d_%d(x int) int {\n\tif x > %d {\n\t\treturn x * %d\n\t}\n\treturn x\n}\n\n", i, j, j, i)
		}
		h.Write(fmt.Sprintf("pkg%d/file.go", i), "package p\n\n"+text.String())
	}
	h.Commit("Ada", "ada@example.org", "fifty files")
	args := append(previewRegistry(b), "--git", h.Dir, "--range", "HEAD~1..HEAD", "--repository", "acme/kinds")
	fleettest.Path(b, "producer") // built before the clock runs
	for b.Loop() {
		cmd := fleettest.Command(b.Context(), b, "producer", args...)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "50 files") {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}
