package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"mirrorfleet/shared/job"
)

// Holder reads who runs a round, with the revision that SetHolder wants; the
// revision is 0 when nobody ever has.
func (b *Bus) Holder(ctx context.Context, round string) (job.Holder, uint64, error) {
	key := job.HolderKey(round)
	entry, err := b.get(ctx, b.rounds(), key)
	if errors.Is(err, ErrNotFound) {
		return job.Holder{}, 0, nil
	}
	if err != nil {
		return job.Holder{}, 0, err
	}
	var h job.Holder
	if err := json.Unmarshal(entry.Value(), &h); err != nil {
		return job.Holder{}, 0, &ValueError{Bucket: job.BucketRounds, Key: key, Err: err}
	}
	return h, entry.Revision(), nil
}

// SetHolder says who runs a round if that still is at the given revision, and
// returns the new one; ErrConflict if it is not.
func (b *Bus) SetHolder(ctx context.Context, round string, h job.Holder, revision uint64) (uint64, error) {
	h.Version = job.Version
	data, err := json.Marshal(h)
	if err != nil {
		return 0, fmt.Errorf("encoding the holder of %s: %w", round, err)
	}
	return b.write(ctx, b.rounds(), job.HolderKey(round), data, revision)
}
