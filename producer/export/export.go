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
	// To is where the rows of each kind go. Kinds without a writer are left out. Several
	// kinds may share a writer only as JSON lines, whose rows name their kind.
	To map[Kind]io.Writer
}

// Write reads a stored outcome and writes its rows: miner by miner, in the outcome's order,
// and for each miner in the order of Kinds. It returns the outcome without its miners.
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
		encoder := json.NewEncoder(place) // streams: a row is written when it is made
		encoder.SetEscapeHTML(false)      // no browser reads this, and titles stay readable
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

// emptyRow has a kind's columns, for the header of CSV.
func emptyRow(kind Kind) any {
	return map[Kind]any{Miners: minerRow{}, Pulls: pullRow{}, Issues: issueRow{}, Rewards: rewardRow{}}[kind]
}
