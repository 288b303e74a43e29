package jobstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Put stores an evaluation under its claim's key. The key is of
// that claim alone, so whatever a late finisher stores replaces nothing.
func (ev Evaluations) Put(ctx context.Context, key string, e job.Evaluation) error {
	e.Version = job.Version
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding evaluation %s: %w", key, err)
	}
	packed, err := ev.pack(ctx, ev.evaluations(), key, data)
	if err != nil {
		return err
	}
	return ev.put(ctx, ev.evaluations(), key, packed)
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
	var e job.Evaluation
	data, err := ev.load(ctx, ev.evaluations(), key, &e)
	if errors.Is(err, jetstream.ErrInvalidKey) { // a damaged record may name anything
		err = fmt.Errorf("bucket %s, key %q: %w", job.BucketEvaluation, key, ErrNotFound)
	}
	if err != nil {
		return job.Evaluation{}, "", err
	}
	err = readable(e.Version)
	if of := job.EvaluationKey(e.Round, e.UID, e.Claim); err == nil && of != key {
		err = fmt.Errorf("it is the evaluation of %s", of) // another claim's counts as little as another miner's
	}
	if err != nil {
		return job.Evaluation{}, "", &ValueError{Bucket: job.BucketEvaluation, Key: key, Err: err}
	}
	digest := sha256.Sum256(data)
	return e, hex.EncodeToString(digest[:]), nil
}

// readable refuses what a later build has written: this one would drop what it
// does not know.
func readable(version int) error {
	if version < 1 || version > job.Version {
		return fmt.Errorf("version %d, this build reads 1 to %d", version, job.Version)
	}
	return nil
}
