package parity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// binaries builds the product's commands, once, when a test first wants one,
// and says where; TestMain removes them.
var binaries = sync.OnceValues(func() (string, error) {
	built.Store(true)
	dir, err := os.MkdirTemp("", "mirrorfleet-parity-")
	if err != nil {
		return "", err
	}
	args := []string{
		"build", "-race=" + strconv.FormatBool(raced), "-o", dir,
		"mirrorfleet/producer", "mirrorfleet/worker", "mirrorfleet/shared/mirrorsim/cmd/mirrorsim",
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return dir, fmt.Errorf("building the commands: %w\n%s", err, out)
	}
	return dir, nil
})

// built says that there are binaries to remove.
var built atomic.Bool

// product is one of the product's commands; it finds the parser where these
// tests do, and nothing of their environment changes its settings.
func product(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	dir := must.Get(binaries())(t)
	parser := must.Get(filepath.Abs(grammars()))(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, name), args...)
	cmd.Env = append(os.Environ(), "MIRRORFLEET_GRAMMARS="+parser)
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// simulated is the line that a simulated mirror says when it serves.
type simulated struct {
	URL      string `json:"url"`
	Miners   string `json:"miners"`
	Registry string `json:"registry"`
}

// simulate serves one round of a case, without a limit in front, until the
// returned function is called.
func simulate(t *testing.T, file string, index int, fault string) (world simulated, stop func()) {
	t.Helper()
	cmd := product(t, "mirrorsim", "--world", "case:"+file, "--case-round", strconv.Itoa(index), "--case-fault", fault,
		"--limit", "0", "--write", t.TempDir(), "--exit-with-stdin")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin := must.Get(cmd.StdinPipe())(t)
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	must.Do(t, err)
	stop = sync.OnceFunc(func() { _ = stdin.Close(); _ = cmd.Wait() })
	t.Cleanup(stop)
	if err := json.NewDecoder(stdout).Decode(&world); err != nil {
		stop()
		t.Fatalf("%v: %v\n%s", cmd.Args, err, stderr.String())
	}
	return world, stop
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
func produce(t *testing.T, state string, world simulated, asOf time.Time) played {
	t.Helper()
	cmd := product(t, "producer", "run", "--local", "--json", "--state", state, "--workers", "2",
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
