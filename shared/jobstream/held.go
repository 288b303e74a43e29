package jobstream

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
)

// Held reads what the streams and buckets hold of a round, by a few lists,
// whatever its size. It changes nothing. What is written in one order is read
// in the other where a list in between could mislead: messages before records
// (a message goes when its job has ended), records before evaluations (a job
// is done when its evaluation is stored). ErrNotFound for a round that nobody
// has planned.
func (b *Bus) Held(ctx context.Context, round string) (held job.Held, err error) {
	held.At = time.Now().UTC()
	for _, read := range []func() error{
		func() (err error) { held.Manifest, err = b.Manifest(ctx, round); return err },
		func() (err error) { held.Outcomes, err = b.Outcomes(ctx, round); return err },
		func() (err error) { held.Latest, err = b.latest(ctx, round, held.Outcomes); return err },
		func() (err error) { held.Replays, err = b.Replays(ctx, round); return err },
		func() (err error) { held.Messages, err = b.Queued(ctx, round); return err },
		func() (err error) { held.Stuck, err = b.stuckUIDs(ctx, round); return err },
		func() (err error) { held.Records, err = b.Records(ctx, round); return err },
		func() (err error) { held.Evaluations, err = b.keys(ctx, b.evaluations(), round+".*.*"); return err },
		func() (err error) { held.Letters, err = b.DeadLetters(ctx, round); return err },
	} {
		if err := read(); err != nil {
			return job.Held{}, fmt.Errorf("reading what is held of round %s: %w", round, err)
		}
	}
	return held, nil
}

// latest is the last outcome, nil while there is none.
func (b *Bus) latest(ctx context.Context, round string, revisions []int) ([]byte, error) {
	if len(revisions) == 0 {
		return nil, nil
	}
	return b.Outcome(ctx, round, revisions[len(revisions)-1])
}

func (b *Bus) stuckUIDs(ctx context.Context, round string) ([]int, error) {
	stuck, err := b.Stuck(ctx, round)
	var uids []int
	for _, s := range stuck {
		uids = append(uids, s.UID)
	}
	return uids, err
}
