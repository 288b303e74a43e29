package main_test

import (
	"strings"
	"testing"
)

// TestAWorkerOfAnotherMirrorHandsBack: such a worker once failed its jobs until their
// failures were used up.
func TestAWorkerOfAnotherMirrorHandsBack(t *testing.T) {
	t.Parallel()
	const elsewhere = "http://127.0.0.1:9/elsewhere"
	b := setup(t, small(3, 1), never)
	ending := b.start()
	wrong := b.begin("wrong", "--slots", "2", "--mirror", elsewhere)
	b.ended(wrong)
	if code, said := wrong.ProcessState.ExitCode(), wrong.log.String(); code != 2 ||
		!strings.Contains(said, elsewhere) || !strings.Contains(said, "--mirror "+b.front.URL) {
		t.Errorf("exit %d, want 2 and both mirrors named:\n%s", code, said)
	}
	right := b.begin("right")
	result := b.result(ending)
	for _, r := range b.records() {
		if r.Failures != 0 || r.Claim.Worker != "right" {
			t.Errorf("record is %+v by %s, want it done by the other worker without a failure", r, r.Claim.Worker)
		}
	}
	if result.Failed != 0 || result.Retries != 0 {
		t.Errorf("%d failed, %d retries; want none", result.Failed, result.Retries)
	}
	b.drained(right)
}
