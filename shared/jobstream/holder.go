package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Holder reads who runs a round, with the revision that SetHolder wants; the
// revision is 0 when nobody ever has.
func (b *Bus) Holder(ctx context.Context, round string) (job.Holder, uint64, error) {
	h, entry, err := b.holder(ctx, round)
	if err != nil || entry == nil {
		return h, 0, err
	}
	return h, entry.Revision(), nil
}

// LastBeat is who runs a round, and when it was last heard of, by the server's
// clock; the zero time when nobody ever has.
func (b *Bus) LastBeat(ctx context.Context, round string) (job.Holder, time.Time, error) {
	h, entry, err := b.holder(ctx, round)
	if err != nil || entry == nil {
		return h, time.Time{}, err
	}
	return h, entry.Created().UTC(), nil
}

func (b *Bus) holder(ctx context.Context, round string) (h job.Holder, entry jetstream.KeyValueEntry, err error) {
	key := job.HolderKey(round)
	entry, err = b.get(ctx, b.rounds(), key)
	if errors.Is(err, ErrNotFound) {
		return h, nil, nil
	}
	if err == nil && json.Unmarshal(entry.Value(), &h) != nil {
		err = &ValueError{Bucket: job.BucketRounds, Key: key, Err: errors.New("it is no holder")}
	}
	if err != nil {
		return job.Holder{}, nil, err
	}
	return h, entry, nil
}

// Hold is what a producer holds, or held: a round, or the schedule.
type Hold struct {
	job.Holder

	Round    string
	Revision uint64
}

// Holders lists what producers hold, or held. A value that cannot be read is left out: it
// names no producer.
func (b *Bus) Holders(ctx context.Context) ([]Hold, error) {
	var all []Hold
	err := b.list(ctx, b.rounds(), job.HolderKey("*"), func() { all = nil }, func(entry jetstream.KeyValueEntry) error {
		h := Hold{Round: strings.TrimSuffix(entry.Key(), job.HolderKey("")), Revision: entry.Revision()}
		if json.Unmarshal(entry.Value(), &h.Holder) == nil {
			all = append(all, h)
		}
		return nil
	})
	return all, err
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
