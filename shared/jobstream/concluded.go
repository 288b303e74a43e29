package jobstream

import (
	"context"
	"slices"
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
	// The first revision is there whenever a later one is.
	keys, err := b.keys(ctx, b.rounds(), job.OutcomeKey("*", 1))
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		keys[i] = strings.TrimSuffix(key, job.OutcomeKey("", 1))
	}
	slices.Sort(keys)
	return keys, nil
}
