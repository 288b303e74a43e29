package tokenscore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/telemetry/telemetrytest"
	"mirrorfleet/worker/tokenscore"
)

// Every end of a child that nobody asked for is counted by its kind: also of
// one that says that it cannot do its work, or dies between two pull requests.
func TestEveryEndOfAChildIsCounted(t *testing.T) { //nolint:paralleltest // the meter provider is the process's
	reader := telemetrytest.Meter(t)
	dir := fleettest.LinkedGrammars(t)
	b := setup(t, func(c *tokenscore.Config) {
		c.Grammars, c.Command = dir, childCommand(t, "serve", "MIRRORFLEET_TEST_SABOTAGE=1", "MIRRORFLEET_GRAMMARS="+dir)
	})
	wantTimedOut(t, b.score(t, added("a.go", sigkillMark)), 1)
	b.wantScored(t)
	for _, pid := range b.pool.Pids() {
		must.Do(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	b.wantScored(t)
	aside := filepath.Join(t.TempDir(), "ruby.so")
	must.Do(t, os.Rename(filepath.Join(dir, "ruby.so"), aside))
	_, err := b.pool.Score(context.Background(), "1", b.weights, []tokens.File{added("a.rb", "def one\n  1\nend\n")}, nil)
	if _, failed := errors.AsType[*tokenscore.FailedError](err); !failed {
		t.Errorf("without its grammar: error %v, want a FailedError", err)
	}
	must.Do(t, os.Rename(aside, filepath.Join(dir, "ruby.so")))
	b.wantScored(t)
	if diff := cmp.Diff(map[string]int64{telemetry.ChildCrashed: 3, telemetry.ChildFailed: 1}, telemetrytest.Points(t, reader, telemetry.MetricChildEnds, telemetry.ChildEnd)); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
}
