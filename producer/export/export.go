package export

import (
	"encoding/json"
	"fmt"
	"io"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/scoring"
)

// Format names how rows are written.
type Format string

// The formats.
const (
	JSONLines Format = "jsonl"
	CSV       Format = "csv"
)

// Rounds writes the rows of stored outcomes.
type Rounds struct {
	Format Format
	// To says where the rows of each kind go; kinds without a place are left
	// out. Several may share one place if they are JSON lines.
	To map[Kind]io.Writer
}

// Write reads a stored outcome and writes its rows: of each miner, in the
// outcome's order, those of each kind in the order of Kinds. It returns the
// round without its miners.
func (r Rounds) Write(stored io.Reader) (head outcome.Result, err error) {
	writers := map[Kind]func(any) error{}
	for _, kind := range Kinds() {
		place, wanted := r.To[kind]
		if !wanted {
			continue
		}
		if r.Format == CSV {
			if writers[kind], err = csvWriter(place, emptyRow(kind)); err != nil {
				return head, err
			}
			continue
		}
		encoder := json.NewEncoder(place)
		encoder.SetEscapeHTML(false)
		writers[kind] = encoder.Encode
	}
	var rows *maker
	begin := func(result outcome.Result) error {
		head, rows = result, newMaker(result)
		return nil
	}
	err = outcome.Stream(stored, begin, func(m *scoring.MinerOutcome) error {
		for _, kind := range Kinds() {
			if writers[kind] == nil {
				continue
			}
			if err := rows.rows(kind, m, writers[kind]); err != nil {
				return fmt.Errorf("writing the %s of miner %d: %w", kind, m.UID, err)
			}
		}
		return nil
	})
	return head, err
}

func emptyRow(kind Kind) any {
	return map[Kind]any{Miners: minerRow{}, Pulls: pullRow{}, Issues: issueRow{}, Rewards: rewardRow{}}[kind]
}
