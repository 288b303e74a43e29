package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
)

// LastConclusion reads when rounds were last concluded, with the revision of what says
// so, also when that is damaged (*ValueError); the revision is 0 when nobody ever
// has.
func (s Schedule) LastConclusion(ctx context.Context) (last job.Last, revision uint64, err error) {
	entry, err := s.get(ctx, s.rounds(), job.LastKey)
	switch {
	case errors.Is(err, ErrNotFound):
		return last, 0, nil
	case err != nil:
		return last, 0, err
	}
	if err = json.Unmarshal(entry.Value(), &last); err == nil {
		err = readable(last.Version)
	}
	if err != nil {
		return job.Last{}, entry.Revision(), &ValueError{Bucket: job.BucketRounds, Key: job.LastKey, Err: err}
	}
	return last, entry.Revision(), nil
}

// RecordConclusion says that a round was concluded, whoever else says so at the
// same time. A value that cannot be read is replaced.
func (s Schedule) RecordConclusion(ctx context.Context, at time.Time, complete bool) error {
	for {
		last, revision, err := s.LastConclusion(ctx)
		damaged := Damaged(err)
		if err != nil && !damaged {
			return err
		}
		next := last.With(at, complete)
		if revision != 0 && !damaged && next == last {
			return nil
		}
		next.Version = job.Version
		data, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("encoding when a round was last concluded: %w", err)
		}
		if _, err = s.write(ctx, s.rounds(), job.LastKey, data, revision); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
