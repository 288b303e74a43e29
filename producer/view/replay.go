package view

import (
	"context"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/jobstream"
)

// Replay is what a replay runs again, or would.
type Replay struct {
	Round string `json:"round"`
	// Revision is the outcome that the replay starts from.
	Revision int  `json:"revision"`
	DryRun   bool `json:"dry_run"`
	// Chosen are the miners that are run again, Already those that are being
	// run again just now.
	Chosen  []outcome.Failed `json:"chosen"`
	Already []int            `json:"already_replaying"`
}

// ReplayOf chooses among the failed miners of a concluded round.
func ReplayOf(ctx context.Context, bus *jobstream.Bus, at OutcomeRef, s outcome.Selection, dryRun bool) (Replay, error) {
	chosen, already, err := round.Chosen(ctx, bus, at.Round, s)
	return Replay{
		Round:    at.Round,
		Revision: at.Revision,
		DryRun:   dryRun,
		Chosen:   append([]outcome.Failed{}, chosen...),
		Already:  append([]int{}, already...),
	}, err
}
