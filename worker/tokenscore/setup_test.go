package tokenscore_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// bundle is what most tests work with.
type bundle struct {
	pool    *tokenscore.Pool
	weights *tokens.Weights
}

// setup starts a pool of one child, unless configure says otherwise.
func setup(tb testing.TB, configure ...func(*tokenscore.Config)) *bundle {
	tb.Helper()
	cfg := config(tb)
	for _, f := range configure {
		f(&cfg)
	}
	pool, err := tokenscore.New(context.Background(), cfg)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() {
		if err := pool.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return &bundle{pool: pool, weights: defaultWeights(tb)}
}

// without is the same bundle with languages that give no nodes.
func (b *bundle) without(tb testing.TB, languages ...string) *bundle {
	tb.Helper()
	weights := must.Get(b.weights.Without(languages))(tb)
	return &bundle{pool: b.pool, weights: weights}
}

func config(tb testing.TB) tokenscore.Config {
	tb.Helper()
	if _, err := os.Stat(fleettest.Grammars()); err != nil {
		tb.Fatalf("there are no grammars in %s: run `make grammars`, or name another directory in MIRRORFLEET_GRAMMARS", fleettest.Grammars())
	}
	return tokenscore.Config{
		Command: childCommand(tb, "serve"), Children: 1, Grammars: fleettest.Grammars(), Log: slog.New(slog.DiscardHandler),
	}
}

// childCommand makes the test binary a child of this mode.
func childCommand(tb testing.TB, mode string, env ...string) []string {
	tb.Helper()
	self := must.Get(os.Executable())(tb)
	return append(append([]string{"env", childEnv + "=" + mode, "MIRRORFLEET_GRAMMARS=" + fleettest.Grammars()}, env...), self)
}

// sabotaged lets texts make the child fail.
func sabotaged(tb testing.TB) func(*tokenscore.Config) {
	tb.Helper()
	return func(c *tokenscore.Config) { c.Command = childCommand(tb, "serve", "MIRRORFLEET_TEST_SABOTAGE=1") }
}

func defaultWeights(tb testing.TB) *tokens.Weights {
	tb.Helper()
	languages, tokenFile := tokens.DefaultWeights()
	w, err := tokens.ParseWeights(languages, tokenFile)
	if err != nil {
		tb.Fatalf("the default weights: %v", err)
	}
	return w
}

// score scores files of miner 1.
func (b *bundle) score(tb testing.TB, files ...tokens.File) tokens.Figures {
	tb.Helper()
	return b.scoreOf(tb, "1", files...)
}

func (b *bundle) scoreOf(tb testing.TB, author string, files ...tokens.File) tokens.Figures {
	tb.Helper()
	return b.scoreWithin(tb, nil, author, files...).Figures
}

// scoreWithin scores files of an author within a budget.
func (b *bundle) scoreWithin(tb testing.TB, budget *tokenscore.Budget, author string, files ...tokens.File) tokenscore.Scored {
	tb.Helper()
	scored, err := b.pool.Score(context.Background(), author, b.weights, files, budget)
	if err != nil {
		tb.Fatalf("Score: %v", err)
	}
	if lacks := scored.Figures.OutOfBudget(); lacks != (scored.Lacks != nil) {
		tb.Errorf("figures out of budget: %v, but what they lack is %v", lacks, scored.Lacks)
	}
	return scored
}

func added(path, head string) tokens.File {
	return tokens.File{Filename: path, Status: "added", Changes: 1 + strings.Count(head, "\n"), Head: &head}
}

func modified(path, base, head string) tokens.File {
	return tokens.File{Filename: path, Status: "modified", Changes: 1, Head: &head, Base: &base}
}

// wantScored checks that the pool still scores as it should: a file of known
// figures.
func (b *bundle) wantScored(tb testing.TB) {
	tb.Helper()
	figures := b.score(tb, added("pkg/small.go", "package small\n\nfunc One() int { return 1 }\n"))
	// A function declaration (2.0) and a return (0.35), at weight 2, and leaves.
	if f := figures.Files[0]; f.Method != tokens.MethodTreeDiff || f.Breakdown.StructuralAddedScore != 2*2.35 {
		tb.Errorf("a small Go file: method %s, breakdown %+v; want tree-diff with a structural score of 4.7", f.Method, f.Breakdown)
	}
}

func wantTimedOut(tb testing.TB, figures tokens.Figures, files int) {
	tb.Helper()
	if len(figures.Files) != files || figures.TotalScore != 0 || figures.TokenScore != 0 || figures.TotalNodesScored != 0 {
		tb.Errorf("figures %+v; want zeros over %d files", figures, files)
	}
	for _, f := range figures.Files {
		if f.Method != tokens.MethodSkippedTimeout || f.Score != 0 || f.Breakdown != nil {
			tb.Errorf("file %s: %+v; want method %s and nothing else", f.Filename, f, tokens.MethodSkippedTimeout)
		}
	}
}
