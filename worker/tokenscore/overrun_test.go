package tokenscore_test

import (
	"strings"
	"testing"
	"time"

	"mirrorfleet/worker/tokenscore"
)

// Some scanners write more of their state than the 1,024 bytes that they have. The
// first byte too many ends the child: nothing is computed from memory that it
// damaged. All other scanners keep to their bytes, as their sources say.
func TestAScannerThatWritesPastItsState(t *testing.T) {
	t.Parallel()
	var indented strings.Builder
	for depth := range 512 {
		indented.WriteString(strings.Repeat(" ", depth) + "if 1:\n")
	}
	indented.WriteString(strings.Repeat(" ", 512) + "a = 'b'\n")
	heredoc := func(begin, word string) string { return begin + word + "\ntext\n" + word + "\n" }
	for name, tt := range map[string]struct{ path, fits, overruns string }{
		"perl, nested quotes":  {"a.pl", strings.Repeat(`"@{[ qq{$a `, 40), strings.Repeat(`"@{[ qq{$a `, 400)},
		"python, by one byte":  {"a.py", strings.ReplaceAll(indented.String(), "'b'", "1"), indented.String()},
		"ruby, by one byte":    {"a.rb", heredoc("a = <<", strings.Repeat("A", 1018)), heredoc("a = <<", strings.Repeat("A", 1019))},
		"bash, by three bytes": {"a.sh", heredoc("cat <<", strings.Repeat("A", 1012)), heredoc("cat <<", strings.Repeat("A", 1015))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *tokenscore.Config) { c.Budget = time.Hour })
			if f := b.score(t, added(tt.path, tt.fits)).Files[0]; f.Nodes == 0 {
				t.Errorf("a state that fits: %+v, want nodes", f)
			}
			wantTimedOut(t, b.score(t, added("b.go", "package b\n"), added(tt.path, tt.overruns)), 2)
			b.wantScored(t)
			if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 3, Crashed: 2}) {
				t.Errorf("stats %+v; want 3 children started, and a crash in each of two tries", got)
			}
		})
	}
}
