package jobstream

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/shared/job"
)

// ConcludedAt is when a revision of a round's outcome was written; ErrNotFound
// if it was not.
func (b *Bus) ConcludedAt(ctx context.Context, round string, revision int) (time.Time, error) {
	entry, err := b.get(ctx, b.rounds(), job.OutcomeKey(round, revision))
	if err != nil {
		return time.Time{}, err
	}
	return entry.Created(), nil
}

// Concluded lists the rounds that have an outcome, in the order of their
// names.
func (b *Bus) Concluded(ctx context.Context) ([]string, error) {
	keys, err := b.keys(ctx, b.rounds(), "*.outcome.*")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, key := range keys {
		name, revision, _ := strings.Cut(key, ".outcome.")
		if n, err := strconv.Atoi(revision); err == nil && n > 0 && job.OutcomeKey(name, n) == key {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// StoredOutcome is one revision of a round's outcome, unpacked while it is
// read: what it takes of memory is what is stored, not what that unpacks to. It is
// verified before anything of it is read.
type StoredOutcome struct {
	io.ReadCloser

	At     time.Time // when it was stored, by the server's clock
	SHA256 string    // of what is read
}

// OpenOutcome opens one revision of a round's outcome; ErrNotFound if none. Who
// has it closes it.
func (b *Bus) OpenOutcome(ctx context.Context, round string, revision int) (StoredOutcome, error) {
	key := job.OutcomeKey(round, revision)
	entry, err := b.get(ctx, b.rounds(), key)
	if err != nil {
		return StoredOutcome{}, err
	}
	packed, err := b.whole(ctx, b.rounds(), key, entry.Value())
	if err != nil {
		return StoredOutcome{}, err
	}
	reader, stored, err := b.streamed(key, packed)
	if err != nil {
		return StoredOutcome{}, err
	}
	return StoredOutcome{ReadCloser: reader, At: entry.Created().UTC(), SHA256: stored.SHA256}, nil
}
