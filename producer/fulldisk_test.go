package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
)

// A log that cannot be written stops neither the producer nor a worker. If the output
// cannot be written, the command fails and says so. Nothing is lost: the round is
// concluded and can be shown.
func TestAFullDiskUnderLogAndOutput(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	state := t.TempDir()
	must.Do(t, os.Chmod(state, 0o700)) // it is not empty, so others must not be able to enter it
	must.Do(t, os.Symlink("/dev/full", filepath.Join(state, "worker-1.log")))
	round := append([]string{"run", "--local", "--json", "--workers", "1", "--state", state}, alone(t)...)

	var out strings.Builder
	cmd := command(t, "producer", round...)
	cmd.Stdout, cmd.Stderr = &out, full
	err = cmd.Run()
	var got roundJSON
	if json.Unmarshal([]byte(out.String()), &got) != nil || err != nil || !got.Complete {
		t.Fatalf("with a full disk under the logs: %v, want a complete round\n%s", err, out.String())
	}

	for _, args := range [][]string{
		round,
		{"show", "latest", "--json", "--local", "--state", state},
		{"rounds", "--local", "--state", state},
		{"export", "--local", "--state", state},
		{"export", "--format", "csv", "--what", "miners", "--local", "--state", state},
		{"plan", "--local", "--state", state},
	} {
		var errs strings.Builder
		cmd := command(t, "producer", args...)
		cmd.Stdout, cmd.Stderr = full, &errs
		_ = cmd.Run() // its exit code says it
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		last := lines[len(lines)-1]
		if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(last, "producer: ") || !strings.HasSuffix(last, "write /dev/stdout: no space left on device") {
			t.Errorf("%v with a full disk under its output: exit %d, want 1 and the reason\n%s", args, cmd.ProcessState.ExitCode(), errs.String())
		}
	}

	list := printed[view.List](t, "RoundList", 0, "rounds", "--local", "--state", state)
	if len(list.Rounds) != 2 || list.Rounds[0].State != view.Concluded || list.Rounds[1].State != view.Concluded {
		t.Errorf("got %+v, want both rounds concluded", list)
	}
}
