package tokenscore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// Each setting that is wrong is refused by name.
func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for want, breakIt := range map[string]func(*tokenscore.Config){
		"Command":      func(c *tokenscore.Config) { c.Command = nil },
		"Grammars":     func(c *tokenscore.Config) { c.Grammars = "" },
		"Children":     func(c *tokenscore.Config) { c.Children = -1 },
		"Budget":       func(c *tokenscore.Config) { c.Budget = -1 },
		"HangTimeout":  func(c *tokenscore.Config) { c.HangTimeout = -1 },
		"StartTimeout": func(c *tokenscore.Config) { c.StartTimeout = -1 },
		"MemoryLimit":  func(c *tokenscore.Config) { c.MemoryLimit = 1 << 20 },
	} {
		cfg := config(t)
		breakIt(&cfg)
		if _, err := tokenscore.New(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a wrong %s: error %v, want one that names it", want, err)
		}
	}
}

// Without whole grammars nothing starts, and the error says what to do.
func TestGrammarsMustBeWhole(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none")
	damaged := t.TempDir()
	must.Do(t, os.CopyFS(damaged, os.DirFS(fleettest.Grammars())))
	must.Do(t, os.WriteFile(filepath.Join(damaged, "go.so"), []byte("no grammar"), 0o600))
	for _, dir := range []string{missing, t.TempDir(), damaged} {
		cfg := config(t)
		cfg.Grammars = dir
		_, err := tokenscore.New(context.Background(), cfg)
		var grammars *tokenscore.GrammarsError
		if !errors.As(err, &grammars) || grammars.Dir != dir {
			t.Fatalf("grammars in %s: error %v, want a GrammarsError of that directory", dir, err)
		}
		for _, hint := range []string{dir, "make grammars", "--grammars", "MIRRORFLEET_GRAMMARS"} {
			if !strings.Contains(err.Error(), hint) {
				t.Errorf("error %q does not name %s", err, hint)
			}
		}
	}
}

// A command that cannot start, ends, or says nothing is an error at New.
func TestChildMustStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		command []string
		want    string
	}{
		"no such program": {[]string{filepath.Join(t.TempDir(), "nothing")}, "no such file"},
		"it ends":         {childCommand(t, "broken"), "this child cannot work: broken"},
		"it says nothing": {childCommand(t, "mute"), "greeting"},
	} {
		cfg := config(t)
		cfg.Command, cfg.StartTimeout = tt.command, 500*time.Millisecond
		if tt.want != "greeting" {
			cfg.StartTimeout = time.Minute
		}
		_, err := tokenscore.New(context.Background(), cfg)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
	}
}

// A language that the validator cannot load gives no nodes by the tree diff,
// and real ones when it is taken off the list.
func TestUnloadable(t *testing.T) {
	t.Parallel()
	file := added("A.cs", "class A { int One() { return 1; } }\n")
	loaded := setup(t)
	for _, tt := range []struct {
		unloadable []string
		nodes      bool
	}{{[]string{"csharp"}, false}, {nil, true}, {[]string{"go"}, true}} {
		f := loaded.without(t, tt.unloadable...).score(t, file).Files[0]
		if f.Method != tokens.MethodTreeDiff || (f.Nodes > 0) != tt.nodes || f.Breakdown == nil {
			t.Errorf("unloadable %v: %+v; want a tree diff, nodes: %v", tt.unloadable, f, tt.nodes)
		}
	}
}

// New weights reach the child and replace the old ones, signatures included.
func TestWeightsChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := added("pkg/small.go", "package small\n\nfunc One() int { return 1 }\n")
	before := b.score(t, file)
	languages, _ := tokens.DefaultWeights()
	other := must.Get(tokens.ParseWeights(languages, []byte(`{"structural_bonus": {"block": 7}, "leaf_tokens": {"func": 1}}`)))(t)
	changed := &bundle{pool: b.pool, weights: other}
	if f := changed.score(t, file).Files[0].Breakdown; f.StructuralAddedScore != 14 || f.LeafAddedScore != 2 {
		t.Errorf("with other weights %+v; want one block (7) and one func (1), at weight 2", f)
	}
	if after := b.score(t, file); after.TotalScore != before.TotalScore {
		t.Errorf("score %v after going back, %v before", after.TotalScore, before.TotalScore)
	}
}

// Many callers share few children, and every one gets its own file's figures.
func TestConcurrentCallers(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) { c.Children = 2 })
	var callers sync.WaitGroup
	for i := range 40 {
		callers.Go(func() {
			text := "package a\n" + strings.Repeat("func f() { return }\n", i)
			f := b.score(t, added("a.go", text)).Files[0]
			if got, want := f.Breakdown.StructuralAddedCount, 2*i; got != want {
				t.Errorf("%d functions: %d structural nodes, want %d", i, got, want)
			}
		})
	}
	callers.Wait()
	if got := b.pool.Stats().Started; got > 2 {
		t.Errorf("%d children started, want at most 2", got)
	}
}

// The files of a large pull request are on their way while others are scored;
// each one's figures are still its own.
func TestFilesOfOnePullRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) { c.Budget = time.Minute })
	var files []tokens.File
	for i := range 40 {
		text := "package a\n" + strings.Repeat("func f() { return }\n", i) + strings.Repeat("// a comment\n", 5_000*(i%3))
		files = append(files, added("a.go", text), added("README.md", text))
		files[len(files)-2].Filename = fmt.Sprintf("a%d.go", i)
	}
	for i, f := range b.score(t, files...).Files {
		if i%2 == 0 && f.Breakdown.StructuralAddedCount != i {
			t.Errorf("%s: %d structural nodes, want %d", f.Filename, f.Breakdown.StructuralAddedCount, i)
		}
	}
}

// Close waits for the children, may be called again, and ends the pool.
func TestClose(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := setup(t, func(c *tokenscore.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	log.Reset() // it began with what holds the children
	b.wantScored(t)
	pids := b.pool.Pids()
	for range 2 {
		must.Do(t, b.pool.Close())
	}
	for _, pid := range pids {
		// Waited for: not even a zombie answers to a signal.
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("child %d after Close: %v, want %v", pid, err, syscall.ESRCH)
		}
	}
	if log.Len() > 0 {
		t.Errorf("the child did not end by itself:\n%s", log.String())
	}
	if len(pids) != 1 {
		t.Errorf("%d children before Close, want 1", len(pids))
	}
	_, err := b.pool.Score(context.Background(), "1", b.weights, []tokens.File{added("a.go", "package a")}, nil)
	if !errors.Is(err, tokenscore.ErrClosed) {
		t.Errorf("Score after Close: %v, want %v", err, tokenscore.ErrClosed)
	}
}

// Files that need no tree need no child: nothing is sent.
func TestFilesWithoutTrees(t *testing.T) {
	t.Parallel()
	b := setup(t, sabotaged(t))
	moved := modified("a.go", "package a // "+sigkillMark, "package a // "+sigkillMark)
	figures := b.score(t, added("README.md", sigkillMark), moved, tokens.File{Filename: "gone.go", Status: "removed", Deletions: 3})
	want := []tokens.Method{tokens.MethodLineCount, tokens.MethodTreeDiff, tokens.MethodSkipped}
	for i, f := range figures.Files {
		if f.Method != want[i] {
			t.Errorf("%s: method %s, want %s", f.Filename, f.Method, want[i])
		}
	}
	if f := figures.Files[1]; f.Nodes != 0 || f.Score != 0 {
		t.Errorf("a file that only moved: %+v; want no nodes", f)
	}
}
