package parity_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/scoring/input"
)

// world is one case, with what the validator made of each of its rounds.
type world struct {
	*mirrorsim.Case

	name string
}

// ownCases is the folder of the project's own cases.
const ownCases = "testdata"

// casesDir is the folder that the cases come from.
func casesDir() string {
	if dir := os.Getenv("MIRRORFLEET_PARITY"); dir != "" {
		return dir
	}
	return ownCases
}

func caseName(file string) string { return strings.SplitN(filepath.Base(file), ".", 2)[0] }

// caseFiles lists the cases of a folder. One without any is an error: it must
// never look like a pass.
func caseFiles(dir string) ([]string, error) {
	var files []string
	entries, err := os.ReadDir(filepath.Join(dir, "rounds"))
	if err != nil {
		return nil, fmt.Errorf("parity cases: %w", err)
	}
	for _, entry := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(entry.Name(), ".zst"), ".gz")
		if strings.HasSuffix(name, ".json") {
			files = append(files, filepath.Join(dir, "rounds", entry.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("parity cases: no .json, .json.zst or .json.gz in %s", filepath.Join(dir, "rounds"))
	}
	slices.Sort(files)
	return files, nil
}

// readCase reads a case and checks that it is whole.
func readCase(file string) (*world, error) {
	c, err := mirrorsim.ReadCase(file)
	if err != nil {
		return nil, fmt.Errorf("parity %w", err)
	}
	if len(c.Rounds) != len(c.Expected) {
		return nil, fmt.Errorf("parity case %s: %d rounds, but %d expected", file, len(c.Rounds), len(c.Expected))
	}
	for i, expected := range c.Expected {
		if err := whole(expected); err != nil {
			return nil, fmt.Errorf("parity case %s: round %d: %w", file, i, err)
		}
	}
	return &world{c, caseName(file)}, nil
}

// whole says what an expected outcome lacks: what is not there is not compared.
func whole(expected json.RawMessage) error {
	var outcome map[string]json.RawMessage
	var miners map[string]map[string]json.RawMessage
	err := json.Unmarshal(expected, &outcome)
	if err == nil && outcome["miners"] != nil {
		err = json.Unmarshal(outcome["miners"], &miners)
	}
	if err != nil {
		return fmt.Errorf("expected: %w", err)
	}
	for _, key := range []string{"from_stored", "shared_account", "maintainers", "rewards", "emission", "miners"} {
		if outcome[key] == nil {
			return fmt.Errorf("expected has no %s", key)
		}
	}
	for uid, miner := range miners {
		for _, key := range []string{"failed", "repositories", "pull_requests", "scored_issues", "total_score", "issue_discovery_score"} {
			if miner[key] == nil {
				return fmt.Errorf("expected miner %s has no %s", uid, key)
			}
		}
	}
	return nil
}

// round is what one round of a case is evaluated and concluded with.
type round struct {
	asOf     time.Time
	registry input.Registry
	miners   []input.Miner
	mirror   *mirrorsim.World
	// known is what the one answer on all issues says of each miner; nil: not asked for.
	known map[string]job.MinerIssues
}

// round is one round of the case. What it fails is answered so that nobody
// tries again.
func (w *world) round(i int) (r round, err error) {
	if r.mirror, err = w.World(i); err != nil {
		return r, err
	}
	r.asOf = r.mirror.AsOf
	if r.registry, err = input.ParseRegistry(r.mirror.Registry); err != nil {
		return r, err
	}
	list, err := json.Marshal(r.mirror.Miners)
	if err != nil {
		return r, err
	}
	if r.miners, err = input.ParseMiners(list); err != nil {
		return r, err
	}
	return r, r.mirror.FailWith("400")
}
