package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// A round runs to its end even if nobody reads its display and its result any more, and
// is stored. Such a round once died at the first line below `| head`.
func TestARoundOutlivesItsReader(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	cmd := command(t, "producer", "run", "--local", "--state", state, "--world", "case:"+settledCase,
		"--limit-requests", "500", "--limit-window", "1s", "--limit-horizon", "100ms")
	r, w, err := os.Pipe()
	must.Do(t, err)
	must.Do(t, r.Close())
	cmd.Stdout, cmd.Stderr = w, w
	must.Do(t, cmd.Start())
	must.Do(t, w.Close())
	_ = cmd.Wait() // the code says it
	if code := cmd.ProcessState.ExitCode(); code != 141 {
		t.Errorf("%s, want exit code 141", cmd.ProcessState)
	}
	if e := run(t, "producer", "rounds", "--local", "--state", state); e.code != 0 || !strings.Contains(e.stdout, "complete") {
		t.Errorf("exit %d:\n%s%s\nwant a round that is complete", e.code, e.stdout, e.stderr)
	}
}
