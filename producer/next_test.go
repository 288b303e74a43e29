package main_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A local round ends with a command that shows more of it. The command works as printed
// in the folder in which the round was run, for any name of the state directory, and with
// another home and another directory of temporary files.
func TestALocalRoundEndsWithALineToType(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := filepath.Join(".", "it's a state")
	cmd := command(t, "producer", append([]string{"run", "--local", "--state", state, "--workers", "1", "--limit-horizon", "1s"}, alone(t)...)...)
	cmd.Dir = dir
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &log)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	last := lines[len(lines)-1]
	_, round, _ := strings.Cut(string(out), "Round ")
	round, _, _ = strings.Cut(round, ",")
	typed := exec.CommandContext(t.Context(), "sh", "-c", last)
	typed.Dir = dir
	typed.Env = slices.Concat(cmd.Env, []string{"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()})
	shown, err := typed.CombinedOutput()
	if err != nil || round == "" || !strings.Contains(string(shown), round) || !strings.Contains(last, " show ") {
		t.Errorf("the round ends with %q, which ends with %v: %s", last, err, shown)
	}
}
