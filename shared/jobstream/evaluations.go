package jobstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/signing"
)

// Put stores an evaluation under its claim's key. No other claim has that key, so a worker
// that finishes too late overwrites nothing.
func (ev Evaluations) Put(ctx context.Context, key string, e job.Evaluation) error {
	return ev.evaluation(key).Put(ctx, e)
}

// Load reads an evaluation; ErrNotFound if there is none, a *ValueError
// if it is damaged, of a later version, or of another round, miner or claim than its
// key says.
func (ev Evaluations) Load(ctx context.Context, key string) (job.Evaluation, error) {
	e, _, err := ev.LoadDigest(ctx, key)
	return e, err
}

// LoadDigest is Load with the SHA-256 of the unpacked value. A later reader can compare it,
// and so detect a change.
func (ev Evaluations) LoadDigest(ctx context.Context, key string) (job.Evaluation, string, error) {
	e, stored, err := ev.evaluation(key).Load(ctx)
	if errors.Is(err, jetstream.ErrInvalidKey) { // a damaged record may name anything
		err = fmt.Errorf("bucket %s, key %q: %w", job.BucketEvaluation, key, ErrNotFound)
	}
	if err != nil {
		return job.Evaluation{}, "", err
	}
	return e, signing.Digest(stored.Data), nil
}
