package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
)

// Last reads when rounds were last concluded, with the revision of what says
// so; the revision is 0 when nobody ever has.
func (b *Bus) Last(ctx context.Context) (last job.Last, revision uint64, err error) {
	entry, err := b.get(ctx, b.rounds(), job.LastKey)
	switch {
	case errors.Is(err, ErrNotFound):
		return last, 0, nil
	case err != nil:
		return last, 0, err
	}
	if err := json.Unmarshal(entry.Value(), &last); err != nil {
		return last, 0, &ValueError{Bucket: job.BucketRounds, Key: job.LastKey, Err: err}
	}
	return last, entry.Revision(), nil
}

// NoteConcluded says that a round was concluded, whoever else says so at the
// same time.
func (b *Bus) NoteConcluded(ctx context.Context, at time.Time, complete bool) error {
	for {
		last, revision, err := b.Last(ctx)
		if err != nil {
			return err
		}
		next := last.With(at, complete)
		if revision != 0 && next == last {
			return nil
		}
		next.Version = job.Version
		data, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("encoding when a round was last concluded: %w", err)
		}
		if _, err = b.write(ctx, b.rounds(), job.LastKey, data, revision); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
