package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// stored is a stored evaluation with the version that wrote it.
type stored struct {
	Version    int                      `json:"version"`
	Evaluation scoring.StoredEvaluation `json:"evaluation"`
}

func (b *Bus) miners() jetstream.KeyValue { return b.buckets[job.BucketMiners] }

// StoredEvaluations reads the last good evaluation of every miner, by uid. One
// that cannot be read, because it is damaged or of another version, is treated
// as absent; what is so is counted and logged, once for all.
func (b *Bus) StoredEvaluations(ctx context.Context) (map[int]scoring.StoredEvaluation, error) {
	keys, err := b.keys(ctx, b.miners(), "*")
	if err != nil {
		return nil, err
	}
	all := make(map[int]scoring.StoredEvaluation, len(keys))
	var unreadable []string
	var wrong []error
	for _, key := range keys {
		uid, evaluation, err := b.storedEvaluation(ctx, key)
		var damaged *ValueError
		switch {
		case err == nil:
			all[uid] = evaluation
		case errors.Is(err, ErrNotFound): // dropped meanwhile
		case errors.As(err, &damaged):
			unreadable, wrong = append(unreadable, key), append(wrong, err)
		default:
			return nil, err
		}
	}
	if len(unreadable) > 0 {
		const most = 5 // an error each is enough to see what is wrong
		b.cfg.Log.WarnContext(ctx, "stored evaluations cannot be read and count as absent",
			"count", len(unreadable), "uids", unreadable, "error", errors.Join(wrong[:min(most, len(wrong))]...))
	}
	return all, nil
}

// storedEvaluation reads one; whatever is wrong with the value itself is a
// *ValueError.
func (b *Bus) storedEvaluation(ctx context.Context, key string) (uid int, e scoring.StoredEvaluation, err error) {
	var s stored
	if _, err := b.load(ctx, b.miners(), key, &s); err != nil {
		return 0, e, err
	}
	uid, err = strconv.Atoi(key)
	if err = errors.Join(readable(s.Version), err); err == nil && s.Evaluation.UID != uid {
		err = fmt.Errorf("it is of miner %d", s.Evaluation.UID)
	}
	if err != nil {
		return 0, e, &ValueError{Bucket: job.BucketMiners, Key: key, Err: err}
	}
	return uid, s.Evaluation, nil
}

// ChangeStored does to the stored evaluations what a round concluded. Doing it
// twice is doing it once.
func (b *Bus) ChangeStored(ctx context.Context, changes []scoring.StoredChange) error {
	for _, change := range changes {
		if err := b.changeStored(ctx, change); err != nil {
			return fmt.Errorf("stored evaluation of miner %d: %w", change.UID, err)
		}
	}
	return nil
}

func (b *Bus) changeStored(ctx context.Context, change scoring.StoredChange) error {
	key := strconv.Itoa(change.UID)
	if change.Evaluation == nil {
		return b.try(ctx, "deleting "+job.BucketMiners+" "+key, func(ctx context.Context) error {
			return b.miners().Delete(ctx, key)
		})
	}
	data, err := json.Marshal(stored{job.Version, *change.Evaluation})
	if err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	packed, err := b.pack(ctx, b.miners(), key, data)
	if err != nil {
		return err
	}
	return b.put(ctx, b.miners(), key, packed)
}

// PutSnapshot keeps the stored evaluations that a round begins with: whoever
// concludes it, and whenever, starts from the same ones. One that is there
// already stays as it is.
func (b *Bus) PutSnapshot(ctx context.Context, round string, all map[int]scoring.StoredEvaluation) error {
	data, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encoding the stored evaluations of round %s: %w", round, err)
	}
	err = b.createRoundValue(ctx, job.SnapshotKey(round), data)
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// Snapshot reads what PutSnapshot kept; ErrNotFound if nothing was.
func (b *Bus) Snapshot(ctx context.Context, round string) (map[int]scoring.StoredEvaluation, error) {
	var all map[int]scoring.StoredEvaluation
	_, err := b.load(ctx, b.rounds(), job.SnapshotKey(round), &all)
	return all, err
}
