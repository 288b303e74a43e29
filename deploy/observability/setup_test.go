package observability_test

import (
	"bytes"
	"os/exec"
	"testing"

	"mirrorfleet/deploy/observability"
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
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

func rules(t *testing.T) []observability.Rule {
	t.Helper()
	all, err := observability.Rules(".")
	if err != nil {
		t.Fatal(err)
	}
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
