package jobstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// Inventory reads everything that the streams and buckets hold of a round, and changes
// nothing. It takes one request for each record and a few more. ErrNotFound if nothing is
// held of the round.
//
// The round goes on meanwhile, so the reads have an order: the reverse of the order in
// which workers write. A worker stores the evaluation or the dead letter, then ends the
// record, then acknowledges the message. Messages are therefore read before records, and
// records before evaluations and letters. Otherwise a change between two reads could look
// like a loss.
//
// A value that cannot be read is named (Lost, Damage) and does not fail the inventory.
func (b *Bus) Inventory(ctx context.Context, round string) (held job.Inventory, err error) {
	held.At = time.Now().UTC()
	for _, read := range []func() error{
		func() error { return b.heldManifest(ctx, round, &held) },
		func() error { return b.heldOutcomes(ctx, round, &held) },
		func() (err error) { held.Replays, err = b.Rounds.Replays(ctx, round); return err },
		func() (err error) { held.Messages, err = b.Queue.Messages(ctx, round); return err },
		func() (err error) { held.Stuck, err = b.stuckUIDs(ctx, round); return err },
		func() error { return b.heldRecords(ctx, round, &held) },
		func() (err error) { held.Evaluations, err = b.evaluations().Keys(ctx, round+".*.*"); return err },
		func() error { return b.heldLetters(ctx, round, &held) },
	} {
		if err := read(); err != nil {
			return job.Inventory{}, fmt.Errorf("reading the inventory of round %s: %w", round, err)
		}
	}
	found := len(held.Outcomes) + len(held.Replays) + len(held.Messages) + len(held.Records) + len(held.Damage) + len(held.Evaluations)
	if held.Lost != "" && found == 0 {
		return job.Inventory{}, fmt.Errorf("round %s: %w", round, ErrNotFound)
	}
	return held, nil
}

// InventoryDigests is Inventory with the digest of each evaluation that a record names. It
// has to read every one of them.
func (b *Bus) InventoryDigests(ctx context.Context, round string) (job.Inventory, error) {
	held, err := b.Inventory(ctx, round)
	if err != nil {
		return held, err
	}
	digests := make([]string, len(held.Records))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(kv.AtOnce)
	for i := range held.Records {
		key := held.Records[i].Stands()
		if key == "" {
			continue
		}
		group.Go(func() (err error) {
			if _, digests[i], err = b.Evaluations.LoadDigest(reading, key); Damaged(err) || errors.Is(err, ErrNotFound) {
				return nil // without a digest
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return job.Inventory{}, fmt.Errorf("reading the evaluations of round %s: %w", round, err)
	}
	held.Digests = make(map[string]string, len(digests))
	for i, digest := range digests {
		if digest != "" {
			held.Digests[held.Records[i].Stands()] = digest
		}
	}
	return held, nil
}

// heldManifest reads the manifest. One that is gone or damaged is noted in Lost: Inventory
// decides whether there is a round at all.
func (b *Bus) heldManifest(ctx context.Context, round string, held *job.Inventory) (err error) {
	if held.Manifest, err = b.Rounds.Manifest(ctx, round); Damaged(err) || errors.Is(err, ErrNotFound) {
		held.Lost = err.Error()
		return nil
	}
	return err
}

// heldOutcomes lists the revisions of the outcome, and reads the latest.
func (b *Bus) heldOutcomes(ctx context.Context, round string, held *job.Inventory) (err error) {
	if held.Outcomes, err = b.Outcomes.Revisions(ctx, round); err != nil || len(held.Outcomes) == 0 {
		return err
	}
	revision := held.Outcomes[len(held.Outcomes)-1]
	held.Latest, err = b.Outcomes.Load(ctx, round, revision)
	if Damaged(err) || errors.Is(err, ErrNotFound) { // a key deleted by hand is still listed
		held.Damage = append(held.Damage, job.Damage{
			Where: job.BucketRounds,
			Key:   job.OutcomeKey(round, revision),
			UID:   -1,
			Error: err.Error(),
		})
		return nil
	}
	return err
}

func (b *Bus) heldRecords(ctx context.Context, round string, held *job.Inventory) error {
	records, damage, err := b.Records.ListAll(ctx, round)
	held.Records, held.Damage = records, append(held.Damage, damage...)
	return err
}

func (b *Bus) heldLetters(ctx context.Context, round string, held *job.Inventory) error {
	letters, damage, err := b.Letters.allLetters(ctx, round)
	held.Letters, held.Damage = letters, append(held.Damage, damage...)
	return err
}

// stuckUIDs are the uids of the messages that no worker will be given (Stuck).
func (b *Bus) stuckUIDs(ctx context.Context, round string) ([]int, error) {
	stuck, err := b.Queue.Stuck(ctx, round)
	var uids []int
	for _, s := range stuck {
		uids = append(uids, s.UID)
	}
	return uids, err
}
