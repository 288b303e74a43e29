package parity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/scoring"
)

// simulate serves one round of a case, without a limit in front.
func simulate(t *testing.T, file string, index int, fault string) fleettest.Mirror {
	t.Helper()
	return fleettest.Simulate(t, "--world", "case:"+file, "--case-round", strconv.Itoa(index), "--case-fault", fault, "--limit", "0")
}

// played is what a producer says of a round that it has concluded.
type played struct {
	Planned  int             `json:"planned"`
	Done     int             `json:"done"`
	Failed   int             `json:"failed"`
	Requests int             `json:"requests"`
	Retries  int             `json:"retries"`
	Written  json.RawMessage `json:"outcome"`

	// outcome is Written as the rules have it, compact its bytes without indents.
	outcome scoring.Outcome
	compact string
}

// produce runs a round in a state directory: NATS and Redis in the producer,
// two worker processes beside it, each with its token-scoring children. The
// limit is set far out of the way: it changes when things happen, and not what.
func produce(t *testing.T, state string, world fleettest.Mirror, asOf time.Time) played {
	t.Helper()
	cmd := fleettest.Command(t.Context(), t, "producer", "run", "--local", "--json", "--state", state, "--workers", "2",
		"--mirror", world.URL, "--miners", world.Miners, "--registry", world.Registry, "--as-of", asOf.Format(time.RFC3339Nano),
		"--limit-requests", "100000", "--limit-horizon", "100ms", "--log-level", "warn")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	// 1 is a round that lacks something, which is what a case's failures make of it.
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("producer: %v\n%s", err, stderr.String())
	}
	var result played
	var compact bytes.Buffer
	if err = json.Unmarshal(stdout.Bytes(), &result); err == nil {
		err = errors.Join(json.Unmarshal(result.Written, &result.outcome), json.Compact(&compact, result.Written))
	}
	if err != nil {
		t.Fatalf("the producer's output is no outcome: %v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	result.compact = compact.String()
	return result
}
