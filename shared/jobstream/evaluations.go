package jobstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/signing"
)

// Put stores an evaluation under its claim's key. The key is of
// that claim alone, so whatever a late finisher stores replaces nothing.
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

// LoadDigest reads an evaluation as Evaluation does, with the SHA-256 of
// what is stored of it, unpacked: whoever reads it later can tell whether it is the
// same.
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
