package jobstream

import (
	"context"
	"encoding/json"
	"fmt"

	"mirrorfleet/shared/job"
)

// PutEvaluation stores an evaluation under its claim's key. The key is of
// that claim alone, so whatever a late finisher stores replaces nothing.
func (b *Bus) PutEvaluation(ctx context.Context, key string, e job.Evaluation) error {
	e.Version = job.Version
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding evaluation %s: %w", key, err)
	}
	packed, err := b.pack(ctx, b.evaluations(), key, data)
	if err != nil {
		return err
	}
	return b.put(ctx, b.evaluations(), key, packed)
}

// Evaluation reads an evaluation; ErrNotFound if there is none, a *ValueError
// if it is damaged or of a later version.
func (b *Bus) Evaluation(ctx context.Context, key string) (job.Evaluation, error) {
	var e job.Evaluation
	if _, err := b.load(ctx, b.evaluations(), key, &e); err != nil {
		return job.Evaluation{}, err
	}
	if err := readable(e.Version); err != nil {
		return job.Evaluation{}, &ValueError{Bucket: job.BucketEvaluation, Key: key, Err: err}
	}
	return e, nil
}

// readable refuses what a later build has written: this one would drop what it
// does not know.
func readable(version int) error {
	if version < 1 || version > job.Version {
		return fmt.Errorf("version %d, this build reads 1 to %d", version, job.Version)
	}
	return nil
}
