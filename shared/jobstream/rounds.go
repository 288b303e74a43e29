package jobstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mirrorfleet/shared/job"
)

// CreateManifest claims a round by storing what it is planned with; ErrExists
// if somebody has claimed it.
func (b *Bus) CreateManifest(ctx context.Context, m job.Manifest) error {
	if !job.ValidRound(m.Round) {
		return fmt.Errorf("round %q: want lower-case letters, digits and dashes, at most 64", m.Round)
	}
	m.Version = job.Version
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding the manifest of %s: %w", m.Round, err)
	}
	return b.createRoundValue(ctx, job.ManifestKey(m.Round), data)
}

// Manifest reads what a round was planned with; ErrNotFound for a round that
// nobody has planned.
func (b *Bus) Manifest(ctx context.Context, round string) (job.Manifest, error) {
	key := job.ManifestKey(round)
	var m job.Manifest
	if _, err := b.load(ctx, b.rounds(), key, &m); err != nil {
		return job.Manifest{}, err
	}
	if err := readable(m.Version); err != nil {
		return job.Manifest{}, &ValueError{Bucket: job.BucketRounds, Key: key, Err: err}
	}
	return m, nil
}

// Rounds lists the rounds that were planned, in the order of their names.
func (b *Bus) Rounds(ctx context.Context) ([]string, error) {
	keys, err := b.keys(ctx, b.rounds(), job.ManifestKey("*"))
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		keys[i] = strings.TrimSuffix(key, job.ManifestKey(""))
	}
	slices.Sort(keys)
	return keys, nil
}

// PutOutcome stores one revision of a round's outcome, from 1. A revision is
// written once: the same again is no error, another is ErrExists.
func (b *Bus) PutOutcome(ctx context.Context, round string, revision int, data []byte) error {
	if revision < 1 {
		return fmt.Errorf("outcome of round %s: revision is %d, want 1 or more", round, revision)
	}
	err := b.createRoundValue(ctx, job.OutcomeKey(round, revision), data)
	if !errors.Is(err, ErrExists) {
		return err
	}
	if stored, readErr := b.Outcome(ctx, round, revision); readErr != nil || !bytes.Equal(stored, data) {
		return err
	}
	return nil
}

// Outcome reads one revision of a round's outcome; ErrNotFound if none.
func (b *Bus) Outcome(ctx context.Context, round string, revision int) ([]byte, error) {
	return b.load(ctx, b.rounds(), job.OutcomeKey(round, revision), nil)
}

// Outcomes lists the revisions of a round's outcome, in rising order.
func (b *Bus) Outcomes(ctx context.Context, round string) ([]int, error) {
	return b.numbered(ctx, round+".outcome.")
}

// createRoundValue stores what is written once. Its parts, if any, come before
// the key, so a key that can be read is whole.
func (b *Bus) createRoundValue(ctx context.Context, key string, data []byte) error {
	packed, err := b.pack(ctx, b.rounds(), key, data)
	if err != nil {
		return err
	}
	_, err = b.write(ctx, b.rounds(), key, packed, 0)
	if errors.Is(err, ErrConflict) {
		return fmt.Errorf("bucket %s, key %s: %w", job.BucketRounds, key, ErrExists)
	}
	return err
}
