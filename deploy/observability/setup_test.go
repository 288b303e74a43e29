package observability_test

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"mirrorfleet/deploy/observability"
	"mirrorfleet/shared/must"
)

// root is the module's folder.
const root = "../.."

// promtool runs Prometheus' own checker; without it nothing here is checked.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("promtool is missing (it checks rules and metrics): apt-get install --no-install-recommends prometheus: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = bytes.NewReader([]byte(stdin))
	// It makes a database for each test and has it written to the disk; in
	// memory, where there is such a folder, that is much sooner done.
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		cmd.Env = append(os.Environ(), "TMPDIR=/dev/shm")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

func rules(t *testing.T) []observability.Rule {
	t.Helper()
	all := must.Get(observability.Rules("."))(t)
	return all
}

// alerts are the names of all alerts.
func alerts(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, r := range rules(t) {
		if r.Alert != "" {
			names[r.Alert] = true
		}
	}
	if len(names) < 10 {
		t.Fatalf("%d alerts, want the ten that the runbook has", len(names))
	}
	return names
}
