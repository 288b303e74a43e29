package loss_test

import (
	"os"
	"strconv"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
)

func TestMain(m *testing.M) { fleettest.Main(m, fleettest.Build{Race: true}) }

// The variables that ask for more than a few scenarios.
const (
	seedEnv = "MIRRORFLEET_LOSS_SEED"
	runsEnv = "MIRRORFLEET_LOSS_RUNS"
)

// all says whether all combinations are wanted.
func all() bool { return os.Getenv(runsEnv) != "" }

// seeds are the first seed and how many there are.
func seeds(t *testing.T) (first, runs uint64) {
	t.Helper()
	first, runs = 1, 8
	for name, n := range map[string]*uint64{seedEnv: &first, runsEnv: &runs} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		var err error
		if *n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s is %q, want a whole number", name, text)
		}
	}
	return first, runs
}
