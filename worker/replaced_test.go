package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

// TestAWorkerWhoseFilesWereReplacedHandsBack: a newer version was installed under a running
// worker. Its jobs count no failure, and it ends, so that its supervisor starts the new one.
func TestAWorkerWhoseFilesWereReplacedHandsBack(t *testing.T) {
	t.Parallel()
	dir := fleettest.LinkedGrammars(t)
	b := setup(t, small(3, 1), never)
	former := b.begin("former", "--slots", "2", "--grammars", dir)
	manifest := filepath.Join(dir, "manifest.json")
	must.Do(t, os.WriteFile(manifest+".new", must.Get(os.ReadFile(manifest))(t), 0o600))
	must.Do(t, os.Rename(manifest+".new", manifest))
	ending := b.start()
	b.ended(former)
	if code, said := former.ProcessState.ExitCode(), former.log.String(); code != 1 || !strings.Contains(said, manifest) {
		t.Errorf("exit %d, want 1 and the file that was replaced:\n%s", code, said)
	}
	next := b.begin("next", "--grammars", dir)
	result := b.result(ending)
	by := map[string]int{}
	for _, r := range b.records() {
		by[r.Claim.Worker]++
		if r.Failures != 0 {
			t.Errorf("record is %+v, want it done without a failure", r)
		}
	}
	// The former one may have done the job of the child with which it started.
	if result.Failed != 0 || result.Retries != 0 || by["next"] < 2 {
		t.Errorf("%d failed, %d retries, done by %v; want none, and most by the next worker", result.Failed, result.Retries, by)
	}
	b.drained(next)
}
