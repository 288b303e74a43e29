package tokenscore_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/tokenscore"
)

// bundle is what most tests work with.
type bundle struct {
	pool    *tokenscore.Pool
	weights *scoring.Weights
}

// setup starts a pool of one child, unless configure says otherwise.
func setup(t testing.TB, configure ...func(*tokenscore.Config)) *bundle {
	t.Helper()
	cfg := config(t)
	for _, f := range configure {
		f(&cfg)
	}
	pool, err := tokenscore.New(context.Background(), cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return &bundle{pool: pool, weights: defaultWeights(t)}
}

func config(t testing.TB) tokenscore.Config {
	t.Helper()
	if _, err := os.Stat(grammarsDir()); err != nil {
		t.Fatalf("there are no grammars in %s: run `make grammars`, or name another directory in MIRRORFLEET_GRAMMARS", grammarsDir())
	}
	return tokenscore.Config{
		Command: childCommand(t, "serve"), Children: 1, Grammars: grammarsDir(), Log: slog.New(slog.DiscardHandler),
	}
}

// childCommand makes the test binary a child of this mode.
func childCommand(t testing.TB, mode string, env ...string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append(append([]string{"env", childEnv + "=" + mode, "MIRRORFLEET_GRAMMARS=" + grammarsDir()}, env...), self)
}

// sabotaged lets texts make the child fail.
func sabotaged(t testing.TB) func(*tokenscore.Config) {
	return func(c *tokenscore.Config) { c.Command = childCommand(t, "serve", "MIRRORFLEET_TEST_SABOTAGE=1") }
}

func defaultWeights(t testing.TB) *scoring.Weights {
	t.Helper()
	languages, tokens := scoring.DefaultWeights()
	w, err := scoring.ParseWeights(languages, tokens)
	if err != nil {
		t.Fatalf("the default weights: %v", err)
	}
	return w
}

func (b *bundle) score(t testing.TB, files ...scoring.File) scoring.TokenFigures {
	t.Helper()
	figures, err := b.pool.Score(context.Background(), b.weights, files)
	if err != nil {
		t.Fatalf("Score: %v", err)
	}
	return figures
}

func added(path, head string) scoring.File {
	return scoring.File{Filename: path, Status: "added", Changes: 1 + strings.Count(head, "\n"), Head: &head}
}

func modified(path, base, head string) scoring.File {
	return scoring.File{Filename: path, Status: "modified", Changes: 1, Head: &head, Base: &base}
}

// wantScored checks that the pool still scores as it should: a file of known
// figures.
func (b *bundle) wantScored(t testing.TB) {
	t.Helper()
	figures := b.score(t, added("pkg/small.go", "package small\n\nfunc One() int { return 1 }\n"))
	// A function declaration (2.0) and a return (0.35), at weight 2, and leaves.
	if f := figures.Files[0]; f.Method != scoring.MethodTreeDiff || f.Breakdown.StructuralAddedScore != 2*2.35 {
		t.Errorf("a small Go file: method %s, breakdown %+v; want tree-diff with a structural score of 4.7", f.Method, f.Breakdown)
	}
}

func wantTimedOut(t testing.TB, figures scoring.TokenFigures, files int) {
	t.Helper()
	if len(figures.Files) != files || figures.TotalScore != 0 || figures.TokenScore != 0 || figures.TotalNodesScored != 0 {
		t.Errorf("figures %+v; want zeros over %d files", figures, files)
	}
	for _, f := range figures.Files {
		if f.Method != scoring.MethodSkippedTimeout || f.Score != 0 || f.Breakdown != nil {
			t.Errorf("file %s: %+v; want method %s and nothing else", f.Filename, f, scoring.MethodSkippedTimeout)
		}
	}
}
