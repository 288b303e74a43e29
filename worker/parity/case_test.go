package parity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/scoring"
)

// world is one case: what there is, the rounds over it, and what the validator
// made of each.
type world struct {
	name     string
	registry scoring.Registry

	RawRegistry json.RawMessage `json:"registry"`
	Miners      json.RawMessage `json:"miners"`
	Mirror      struct {
		Pulls       map[string][]json.RawMessage `json:"pulls"`
		Issues      map[string][]json.RawMessage `json:"issues"`
		OpenIssues  map[string][]json.RawMessage `json:"open_issues"`
		Files       map[string]json.RawMessage   `json:"files"`
		Maintainers map[string][]json.RawMessage `json:"maintainers"`
	} `json:"mirror"`
	Rounds   []round           `json:"rounds"`
	Expected []json.RawMessage `json:"expected"`
}

// round is what one round changes.
type round struct {
	AsOf        time.Time       `json:"as_of"`
	Fail        []string        `json:"fail"`
	Unreachable []int           `json:"unreachable_identity"`
	Miners      json.RawMessage `json:"miners"`
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
	data, err := readCompressed(file)
	if err != nil {
		return nil, fmt.Errorf("parity case %s: %w", file, err)
	}
	w := &world{name: caseName(file)}
	if err := json.Unmarshal(data, w); err != nil {
		return nil, fmt.Errorf("parity case %s: %w", file, err)
	}
	switch {
	case len(w.Rounds) == 0:
		return nil, fmt.Errorf("parity case %s: no rounds", file)
	case len(w.Rounds) != len(w.Expected):
		return nil, fmt.Errorf("parity case %s: %d rounds, but %d expected", file, len(w.Rounds), len(w.Expected))
	}
	for i, r := range w.Rounds {
		if r.AsOf.IsZero() {
			return nil, fmt.Errorf("parity case %s: round %d has no as_of", file, i)
		}
		if err := whole(w.Expected[i]); err != nil {
			return nil, fmt.Errorf("parity case %s: round %d: %w", file, i, err)
		}
	}
	if w.registry, err = scoring.ParseRegistry(w.RawRegistry); err != nil {
		return nil, fmt.Errorf("parity case %s: %w", file, err)
	}
	return w, nil
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

func readCompressed(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch filepath.Ext(file) {
	case ".zst":
		dec, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer dec.Close()
		return io.ReadAll(dec)
	case ".gz":
		dec, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(dec)
	}
	return io.ReadAll(f)
}

// miners is the round's list: its own, or the world's.
func (w *world) miners(r round) ([]scoring.Miner, error) {
	raw := w.Miners
	if r.Miners != nil {
		raw = r.Miners
	}
	if raw == nil {
		return nil, errors.New("no miners")
	}
	miners, err := scoring.ParseMiners(raw)
	for i := range miners {
		miners[i].IdentityUnreachable = slices.Contains(r.Unreachable, miners[i].UID)
	}
	return miners, err
}
