package jobstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
	"time"
)

// Put stores one revision of a round's outcome; the first is 1. A revision is written once:
// storing the same bytes again is no error, storing others is ErrExists.
func (o Outcomes) Put(ctx context.Context, round string, revision int, data []byte) error {
	if revision < 1 {
		return fmt.Errorf("outcome of round %s: revision is %d, want 1 or more", round, revision)
	}
	err := o.rounds().Create(ctx, job.OutcomeKey(round, revision), kv.Sealed, data)
	if !errors.Is(err, ErrExists) {
		return err
	}
	if stored, readErr := o.Load(ctx, round, revision); readErr != nil || !bytes.Equal(stored, data) {
		return err
	}
	return nil
}

// Replace stores a revision of a round's outcome if the stored one is gone or cannot be
// read, and says whether it did. check decides whether the stored one can be read.
func (o Outcomes) Replace(ctx context.Context, round string, revision int, data []byte, check func([]byte) error) (bool, error) {
	return o.rounds().Restore(ctx, job.OutcomeKey(round, revision), kv.Sealed, data, check)
}

// Load reads one revision of a round's outcome; ErrNotFound if there is none.
func (o Outcomes) Load(ctx context.Context, round string, revision int) ([]byte, error) {
	stored, err := o.LoadSigned(ctx, round, revision)
	return stored.Data, err
}

// Revisions lists the revisions of a round's outcome, in rising order.
func (o Outcomes) Revisions(ctx context.Context, round string) ([]int, error) {
	return o.numbered(ctx, round+".outcome.")
}

// LoadSigned is Load with the outcome's digest and signature.
func (o Outcomes) LoadSigned(ctx context.Context, round string, revision int) (Stored, error) {
	return o.rounds().Load(ctx, job.OutcomeKey(round, revision), kv.Sealed)
}

// Digest is the digest of a stored revision, verified or not; "" if the revision is gone or
// cannot be unpacked.
func (o Outcomes) Digest(ctx context.Context, round string, revision int) (string, error) {
	s, err := o.rounds().Load(ctx, job.OutcomeKey(round, revision), kv.Sealed)
	if errors.Is(err, ErrNotFound) || Damaged(err) {
		err = nil
	}
	return s.SHA256, err
}

// NotTheFormer is the error of a revision that is not the one on which the next revision was
// built. It counts as damage.
func NotTheFormer(round string, revision int, has, want string) error {
	return &ValueError{Bucket: job.BucketRounds, Key: job.OutcomeKey(round, revision), Err: fmt.Errorf(
		"%w: revision %d names %s as the digest of the one before it, and it has %s", ErrSignature, revision+1, want, has)}
}

// ConcludedAt is the time at which a revision of a round's outcome was written; ErrNotFound
// if there is none.
func (o Outcomes) ConcludedAt(ctx context.Context, round string, revision int) (time.Time, error) {
	entry, err := o.rounds().Get(ctx, job.OutcomeKey(round, revision))
	if err != nil {
		return time.Time{}, err
	}
	return entry.Created(), nil
}

// StoredOutcome is one revision of a round's outcome. It is unpacked while it is read, so it
// needs only the memory of its packed form. It is verified before the caller reads any of
// it.
type StoredOutcome struct {
	io.ReadCloser

	At     time.Time // when it was stored, by the server's clock
	SHA256 string    // of the data that is read
}

// Open opens one revision of a round's outcome; ErrNotFound if there is none. The caller
// closes it.
func (o Outcomes) Open(ctx context.Context, round string, revision int) (StoredOutcome, error) {
	reader, stored, err := o.rounds().Open(ctx, job.OutcomeKey(round, revision))
	if err != nil {
		return StoredOutcome{}, err
	}
	return StoredOutcome{ReadCloser: reader, At: stored.At.UTC(), SHA256: stored.SHA256}, nil
}
