package mirrorsim

import (
	"encoding/json"
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

// caseFile is a recorded round: a world, and the rounds that were run over it.
type caseFile struct {
	Registry json.RawMessage `json:"registry"`
	Miners   []scoring.Miner `json:"miners"`
	Mirror   struct {
		Pulls       map[string][]json.RawMessage `json:"pulls"`
		Issues      map[string][]json.RawMessage `json:"issues"`
		OpenIssues  map[string][]json.RawMessage `json:"open_issues"`
		Files       map[string]json.RawMessage   `json:"files"`
		Maintainers map[string][]json.RawMessage `json:"maintainers"`
	} `json:"mirror"`
	Rounds []caseRound `json:"rounds"`
}

// caseRound is what one round of a case changes.
type caseRound struct {
	AsOf                time.Time       `json:"as_of"`
	Fail                []string        `json:"fail"`
	UnreachableIdentity []int           `json:"unreachable_identity"`
	Miners              []scoring.Miner `json:"miners"`
}

// Case makes the world of one round (0 is the first) of a case file, which
// may be compressed (.gz, .zst).
//
// Lists are served as they stand in the file: no window is applied, for that
// was done when the case was recorded, and a client that pages gets them in
// the file's order, not newest first, because what the case expects was
// computed from lists in that order. Requests that the round fails are failed
// with 500 for good; see World.FailWith.
func Case(file string, round int) (*World, error) {
	data, err := readCompressed(file)
	if err != nil {
		return nil, fmt.Errorf("case: %w", err)
	}
	var c caseFile
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("case %s: %w", file, err)
	}
	switch {
	case len(c.Rounds) == 0 || len(c.Registry) == 0:
		return nil, fmt.Errorf("case %s: no rounds or no registry, want a file of the parity form", file)
	case round < 0 || round >= len(c.Rounds):
		return nil, fmt.Errorf("case %s: round %d, want 0 to %d", file, round, len(c.Rounds)-1)
	case c.Rounds[round].AsOf.IsZero():
		return nil, fmt.Errorf("case %s: round %d has no as_of", file, round)
	}
	return c.world(filepath.Base(file), c.Rounds[round]), nil
}

// world is the case as one of its rounds meets it.
func (c caseFile) world(name string, round caseRound) *World {
	w := NewWorld("case "+name, round.AsOf)
	w.asListed = true
	w.Registry = append(slices.Clip(c.Registry), '\n')
	w.Miners = c.Miners
	if round.Miners != nil {
		w.Miners = round.Miners
	}
	w.Miners = unreachable(w.Miners, round.UnreachableIdentity)
	for _, key := range round.Fail {
		w.Fails[strings.ToLower(key)] = Failure{Times: -1, Fault: "500"}
	}
	w.pulls, w.issues, w.openIssues = asItems(c.Mirror.Pulls), asItems(c.Mirror.Issues), asItems(c.Mirror.OpenIssues)
	files := fileMap{}
	for key, raw := range c.Mirror.Files {
		files[strings.ToLower(key)] = raw
	}
	w.files = files
	for repo, list := range c.Mirror.Maintainers {
		w.maintainers[strings.ToLower(repo)] = list
	}
	return w
}

// unreachable marks the miners whose identity look-up fails in the round.
func unreachable(miners []scoring.Miner, uids []int) []scoring.Miner {
	marked := make([]scoring.Miner, len(miners))
	for i, m := range miners {
		for _, uid := range uids {
			m.IdentityUnreachable = m.IdentityUnreachable || m.UID == uid
		}
		marked[i] = m
	}
	return marked
}

// asItems keeps lists as they are: a case is never windowed or sorted, so
// nothing inside an item is looked at and a malformed one is like any other.
func asItems(lists map[string][]json.RawMessage) map[string][]item {
	items := make(map[string][]item, len(lists))
	for id, list := range lists {
		for _, raw := range list {
			items[id] = append(items[id], item{raw: raw})
		}
	}
	return items
}

// readCompressed reads a file whole, whatever it is compressed with.
func readCompressed(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening: %w", err)
	}
	defer file.Close()
	var in io.Reader = file
	switch filepath.Ext(path) {
	case ".gz":
		if in, err = gzip.NewReader(file); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
	case ".zst":
		dec, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		defer dec.Close()
		in = dec
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}
