package view

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
)

// Past is what one outcome gave each of its miners. It is small beside the outcome.
type Past struct {
	OutcomeRef

	AsOf     time.Time
	Complete bool
	// Miners are by hotkey: a uid that is given to somebody else has another one.
	Miners map[string]PastMiner
	// Hotkeys are by uid.
	Hotkeys map[int]string
}

// PastMiner is what an outcome gave one miner. Scores are the sums of those that its
// repositories pay for.
type PastMiner struct {
	UID                   int
	Reward, Pulls, Issues float64
}

// errEnough ends the reading of an outcome before its miners.
var errEnough = errors.New("that is enough")

// PastOf reads what an outcome gave. It reads the outcome as far as its miners, which are
// nearly all of it, and the hotkeys in the manifest.
func PastOf(ctx context.Context, bus *jobstream.Bus, at OutcomeRef) (Past, error) {
	m, err := bus.Rounds.Manifest(ctx, at.Round)
	if err != nil {
		return Past{}, fmt.Errorf("reading the manifest of round %s: %w", at.Round, err)
	}
	stored, err := bus.Outcomes.Open(ctx, at.Round, at.Revision)
	if err != nil {
		return Past{}, fmt.Errorf("reading revision %d of round %s: %w", at.Revision, at.Round, err)
	}
	defer stored.Close()
	head, err := headOfOutcome(stored)
	if err != nil {
		return Past{}, fmt.Errorf("revision %d of round %s: %w", at.Revision, at.Round, err)
	}
	past := Past{
		OutcomeRef: at,
		AsOf:       head.AsOf,
		Complete:   head.Complete,
		Miners:     map[string]PastMiner{},
		Hotkeys:    map[int]string{},
	}
	for i := range m.Miners {
		past.Hotkeys[m.Miners[i].UID] = m.Miners[i].Hotkey
	}
	for _, reward := range head.Outcome.Rewards {
		pulls, issues := paidScores(head.Outcome.Emission, reward.UID)
		past.Miners[past.Hotkeys[reward.UID]] = PastMiner{
			UID:    reward.UID,
			Reward: reward.Reward,
			Pulls:  pulls,
			Issues: issues,
		}
	}
	return past, nil
}

func headOfOutcome(r io.Reader) (head outcome.Result, err error) {
	err = outcome.Stream(r,
		func(begun outcome.Result) error { head = begun; return errEnough },
		func(*scoring.MinerOutcome) error { return errEnough })
	if errors.Is(err, errEnough) {
		err = nil
	}
	return head, err
}

func paidScores(emission []scoring.RepositoryEmission, uid int) (pulls, issues float64) {
	for i := range emission {
		pulls += emission[i].PRScores[uid]
		issues += emission[i].IssueDiscoveryScores[uid]
	}
	return pulls, issues
}

// LastOutcomes names the last outcomes of at most so many rounds up to one, the newest first.
func LastOutcomes(ctx context.Context, bus *jobstream.Bus, upTo string, most int) ([]OutcomeRef, error) {
	last, err := bus.Rounds.LastRevisions(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the outcomes: %w", err)
	}
	var list []OutcomeRef
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(last))) {
		if name <= upTo && len(list) < most {
			list = append(list, OutcomeRef{name, last[name]})
		}
	}
	return list, nil
}
