package round

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// File is an input as it was read, with the name that an error calls it by.
type File struct {
	Name string
	Data []byte
}

// ErrInput says that an input breaks a rule: the round is refused whole.
var ErrInput = errors.New("the round's input is refused")

// Inputs is what an operator gives a round.
type Inputs struct {
	Miners, Registry, Languages, Tokens File
	// Mirror is the base URL that the round is scored from.
	Mirror string
	// AsOf is the round's instant.
	AsOf time.Time
	// Unloadable are the languages that the validator cannot load.
	Unloadable []string
}

// NewID names a round after the instant at which it was planned. The suffix
// tells apart two rounds that were planned in one second.
func NewID(now time.Time, random [3]byte) string {
	return fmt.Sprintf("%s-%x", strings.ToLower(now.UTC().Format("20060102t150405z")), random)
}

// Plan checks every input strictly and returns the round's manifest. All that
// is wrong comes back at once, and nothing has been published.
func Plan(id string, in Inputs, now time.Time) (job.Manifest, error) {
	miners, err := input.ParseMiners(in.Miners.Data)
	wrong := named(in.Miners.Name, err)
	_, err = input.ParseRegistry(in.Registry.Data)
	wrong = errors.Join(wrong, named(in.Registry.Name, err))
	weights, err := tokens.ParseWeights(in.Languages.Data, in.Tokens.Data)
	wrong = errors.Join(wrong, named(in.Languages.Name+" and "+in.Tokens.Name, err))
	if err == nil {
		_, err = weights.Without(in.Unloadable)
		wrong = errors.Join(wrong, err)
	}
	if in.AsOf.IsZero() {
		wrong = errors.Join(wrong, errors.New("as_of: missing, want an instant such as 2026-06-18T18:54:00Z"))
	}
	if wrong != nil {
		return job.Manifest{}, fmt.Errorf("%w: %w", ErrInput, wrong)
	}
	return job.Manifest{
		Version:    job.Version,
		Round:      id,
		AsOf:       in.AsOf.UTC(),
		PlannedAt:  now.UTC(),
		Mirror:     in.Mirror,
		Miners:     miners,
		Registry:   in.Registry.Data,
		Languages:  in.Languages.Data,
		Tokens:     in.Tokens.Data,
		Unloadable: in.Unloadable,
		Rules:      scoring.RulesVersion,
	}, nil
}

func named(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", file, err)
}
