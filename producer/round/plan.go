package round

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
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
		Version: job.Version, Round: id, AsOf: in.AsOf.UTC(), PlannedAt: now.UTC(), Mirror: in.Mirror,
		Miners: miners, Registry: in.Registry.Data, Languages: in.Languages.Data, Tokens: in.Tokens.Data,
		Unloadable: in.Unloadable,
	}, nil
}

func named(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", file, err)
}

// Jobs are the round's jobs: one for each miner that no rule fails before
// anything is loaded, in the order of the list.
func Jobs(m job.Manifest) []job.Job {
	var jobs []job.Job
	for _, miner := range m.Miners {
		if input.FailureOf(miner) != input.NoFailure {
			continue
		}
		jobs = append(jobs, job.Job{
			Version: job.Version, Round: m.Round, UID: miner.UID, Hotkey: miner.Hotkey,
			GitHubID: miner.GitHubID, AsOf: m.AsOf, IssuesOnly: miner.IdentityUnreachable,
		})
	}
	return jobs
}

// Records reads those of a manifest's jobs, without those that cannot be read. A
// record without a job is of a miner whose token GitHub has refused since: nothing
// counts it any more.
func Records(ctx context.Context, bus *jobstream.Bus, m job.Manifest) ([]job.Record, error) {
	list, _, err := readRecords(ctx, bus, m)
	return list, err
}

// readRecords reads those that can be read, and by uid those that cannot.
func readRecords(ctx context.Context, bus *jobstream.Bus, m job.Manifest) ([]job.Record, map[int]job.Damage, error) {
	list, damage, err := bus.Records.ListAll(ctx, m.Round)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the records: %w", err)
	}
	jobs := map[int]bool{}
	for _, j := range Jobs(m) {
		jobs[j.UID] = true
	}
	damaged := damagedOf(damage)
	maps.DeleteFunc(damaged, func(uid int, _ job.Damage) bool { return !jobs[uid] })
	return slices.DeleteFunc(list, func(r job.Record) bool { return !jobs[r.UID] }), damaged, nil
}
