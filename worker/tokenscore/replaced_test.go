package tokenscore_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// replace puts an equal file in a file's place, as a package manager does.
func replace(t *testing.T, path string) {
	t.Helper()
	data := must.Get(os.ReadFile(path))(t)
	must.Do(t, os.WriteFile(path+".new", data, 0o600))
	must.Do(t, os.Rename(path+".new", path))
}

// Nothing is scored by grammars that were replaced: neither by a child that is running and
// opens another grammar, nor by a new child. What a child has opened stays what it was.
func TestReplacedGrammarsScoreNothing(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"a grammar": "python.so", "the manifest": "manifest.json", "the runtime": "runtime.so"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := fleettest.LinkedGrammars(t)
			b := setup(t, func(c *tokenscore.Config) {
				c.Grammars, c.Command = dir, childCommand(t, "serve", "MIRRORFLEET_GRAMMARS="+dir)
			})
			score := func(author, file string) error {
				_, err := b.pool.Score(t.Context(), author, b.weights, []tokens.File{added(file, "x = 1\n")}, nil)
				return err
			}
			must.Do(t, score("ann", "a.rb"))
			replace(t, filepath.Join(dir, file))
			must.Do(t, score("ann", "b.rb"))
			if err := score("ann", "a.py"); file == "python.so" && !errors.Is(err, tokenscore.ErrReplaced) {
				t.Errorf("a running child that opens it: %v, want that it was replaced", err)
			}
			if err := score("bob", "a.rb"); !errors.Is(err, tokenscore.ErrReplaced) {
				t.Errorf("a new child: %v, want that it was replaced", err)
			}
		})
	}
}
