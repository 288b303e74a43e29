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
func (ro Rounds) CreateManifest(ctx context.Context, m job.Manifest) error {
	if !job.ValidRound(m.Round) {
		return fmt.Errorf("round %q: want lower-case letters, digits and dashes, at most 64", m.Round)
	}
	m.Version = job.Version
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding the manifest of %s: %w", m.Round, err)
	}
	return ro.createRoundValue(ctx, job.ManifestKey(m.Round), data)
}

// Manifest reads what a round was planned with; ErrNotFound for a round that
// nobody has planned.
func (ro Rounds) Manifest(ctx context.Context, round string) (job.Manifest, error) {
	key := job.ManifestKey(round)
	stored, err := ro.loadRound(ctx, key, nil)
	if err != nil {
		return job.Manifest{}, err
	}
	m, err := decodeManifest(round, stored.Data)
	if err != nil {
		return job.Manifest{}, &ValueError{Bucket: job.BucketRounds, Key: key, Err: err}
	}
	m.SHA256, m.SignedBy = stored.SHA256, stored.Signature.SignedBy
	return m, nil
}

// decodeManifest reads a value and checks that it belongs to the round.
func decodeManifest(round string, data []byte) (m job.Manifest, err error) {
	if err = json.Unmarshal(data, &m); err == nil {
		err = readable(m.Version)
	}
	if err == nil && m.Round != round {
		err = fmt.Errorf("it is the manifest of %q", m.Round)
	}
	return m, err
}

// RestoreManifest stores a manifest again that is gone or cannot be read, and
// says whether it had to. It is for the producer that has it still.
func (ro Rounds) RestoreManifest(ctx context.Context, m job.Manifest) (bool, error) {
	m.Version = job.Version
	data, err := json.Marshal(m)
	if err != nil {
		return false, fmt.Errorf("encoding the manifest of %s: %w", m.Round, err)
	}
	return ro.restore(ctx, job.ManifestKey(m.Round), data, func(stored []byte) error {
		_, err := decodeManifest(m.Round, stored)
		return err
	})
}

// List lists the rounds that were planned, in the order of their names.
func (ro Rounds) List(ctx context.Context) ([]string, error) {
	keys, err := ro.keys(ctx, ro.rounds(), job.ManifestKey("*"))
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		keys[i] = strings.TrimSuffix(key, job.ManifestKey(""))
	}
	slices.Sort(keys)
	return keys, nil
}

// Put stores one revision of a round's outcome, from 1. A revision is
// written once: the same again is no error, another is ErrExists.
func (o Outcomes) Put(ctx context.Context, round string, revision int, data []byte) error {
	if revision < 1 {
		return fmt.Errorf("outcome of round %s: revision is %d, want 1 or more", round, revision)
	}
	err := o.createRoundValue(ctx, job.OutcomeKey(round, revision), data)
	if !errors.Is(err, ErrExists) {
		return err
	}
	if stored, readErr := o.Load(ctx, round, revision); readErr != nil || !bytes.Equal(stored, data) {
		return err
	}
	return nil
}

// Replace stores a revision of a round's outcome in the place of one that
// is gone or cannot be read, which check tells; it says whether it had to.
func (o Outcomes) Replace(ctx context.Context, round string, revision int, data []byte, check func([]byte) error) (bool, error) {
	return o.restore(ctx, job.OutcomeKey(round, revision), data, check)
}

// Load reads one revision of a round's outcome; ErrNotFound if none.
func (o Outcomes) Load(ctx context.Context, round string, revision int) ([]byte, error) {
	stored, err := o.LoadSigned(ctx, round, revision)
	return stored.Data, err
}

// Revisions lists the revisions of a round's outcome, in rising order.
func (o Outcomes) Revisions(ctx context.Context, round string) ([]int, error) {
	return o.numbered(ctx, round+".outcome.")
}

// createRoundValue stores and signs what is written once. Its parts, if any, come before
// the key, so a key that can be read is whole.
func (l *link) createRoundValue(ctx context.Context, key string, data []byte) error {
	packed, err := l.pack(ctx, l.rounds(), key, l.signed(key, data))
	if err != nil {
		return err
	}
	_, err = l.write(ctx, l.rounds(), key, packed, 0)
	if errors.Is(err, ErrConflict) {
		return fmt.Errorf("bucket %s, key %s: %w", job.BucketRounds, key, ErrExists)
	}
	return err
}

// restore writes a value that is gone or damaged, and says whether it did. check
// is nil for a value that can be read: that one stays. A damaged one is replaced at
// its revision, so whoever was faster is not overwritten.
func (l *link) restore(ctx context.Context, key string, data []byte, check func([]byte) error) (bool, error) {
	for {
		revision, lost, err := l.lost(ctx, key, check)
		if err != nil || !lost {
			return false, err
		}
		packed, err := l.pack(ctx, l.rounds(), key, l.signed(key, data))
		if err != nil {
			return false, err
		}
		_, err = l.write(ctx, l.rounds(), key, packed, revision)
		if !errors.Is(err, ErrConflict) {
			return err == nil, err
		}
	}
}

// lost says whether a value is gone or damaged, and at which revision.
func (l *link) lost(ctx context.Context, key string, check func([]byte) error) (revision uint64, lost bool, err error) {
	entry, err := l.get(ctx, l.rounds(), key)
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, true, nil
	case err != nil:
		return 0, false, err
	}
	data, err := l.unpack(ctx, l.rounds(), key, entry.Value())
	var stored Stored
	if err == nil {
		stored, err = l.opened(key, data)
	}
	switch {
	case Damaged(err):
		return entry.Revision(), true, nil
	case err != nil:
		return 0, false, err
	}
	return entry.Revision(), check(stored.Data) != nil, nil
}
