package view

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// ErrNotKept says that the parts of an outcome are not kept, or have changed.
var ErrNotKept = errors.New("the round did not keep what this needs")

// keptOf reads the parts of an outcome, and compares: concluded again they must give the
// same outcome, or nothing could be said of a change.
func keptOf(ctx context.Context, bus *jobstream.Bus, r *outcome.Result) (scoring.RoundInput, error) {
	in, err := readKept(ctx, bus, r)
	if errors.Is(err, jobstream.ErrNotFound) || jobstream.Damaged(err) {
		return in, fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	if err != nil {
		return in, err
	}
	again, err := json.Marshal(scoring.Conclude(in))
	if err != nil {
		return in, fmt.Errorf("encoding the outcome of round %s: %w", r.Round, err)
	}
	concluded, err := json.Marshal(r.Outcome)
	if err != nil {
		return in, fmt.Errorf("encoding the outcome of round %s: %w", r.Round, err)
	}
	if !bytes.Equal(again, concluded) {
		return in, fmt.Errorf("%w: revision %d of round %s was concluded from something else than what is stored of it now",
			ErrNotKept, r.Revision, r.Round)
	}
	return in, nil
}

func readKept(ctx context.Context, bus *jobstream.Bus, r *outcome.Result) (scoring.RoundInput, error) {
	m, err := bus.Rounds.Planned(ctx, r.Round)
	if err != nil {
		return scoring.RoundInput{}, fmt.Errorf("reading the manifest of round %s: %w", r.Round, err)
	}
	in := scoring.RoundInput{AsOf: m.AsOf, Miners: m.Miners, Evaluations: map[int]scoring.Evaluation{}}
	if in.Registry, err = input.ParseRegistry(m.Registry); err != nil {
		return in, &jobstream.ValueError{Bucket: job.BucketRounds, Key: job.ManifestKey(m.Round), Err: err}
	}
	if in.Stored, err = bus.Rounds.Snapshot(ctx, r.Round); err != nil {
		return in, fmt.Errorf("reading the stored evaluations that round %s began with: %w", r.Round, err)
	}
	maintainers, err := bus.Rounds.Maintainers(ctx, r.Round)
	if err != nil {
		return in, fmt.Errorf("reading the maintainers of round %s: %w", r.Round, err)
	}
	in.Maintainers = maintainers.Found
	read := make([]scoring.Evaluation, len(r.Evaluations))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readAtOnce)
	for i, part := range r.Evaluations {
		group.Go(func() error {
			evaluation, digest, err := bus.Evaluations.LoadDigest(reading, part.Key)
			if err == nil && digest != part.SHA256 {
				err = notOfTheOutcome(part.Key)
			}
			if err != nil {
				return fmt.Errorf("reading the evaluation of miner %d: %w", part.UID, err)
			}
			read[i] = evaluation.Evaluation
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return in, err
	}
	for i, part := range r.Evaluations {
		in.Evaluations[part.UID] = read[i]
	}
	return in, nil
}
