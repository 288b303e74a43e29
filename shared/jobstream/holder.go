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

// Load reads who runs a round, with the revision that Set wants, also
// when the value is damaged (*ValueError); the revision is 0 when nobody ever has.
func (ho Holders) Load(ctx context.Context, round string) (job.Holder, uint64, error) {
	h, entry, err := ho.holder(ctx, round)
	if entry == nil {
		return h, 0, err
	}
	return h, entry.Revision(), err
}

// LastBeat is who runs a round, and when it was last heard of, by the server's
// clock; the zero time when nobody ever has. A value that cannot be read names
// nobody.
func (ho Holders) LastBeat(ctx context.Context, round string) (job.Holder, time.Time, error) {
	h, entry, err := ho.holder(ctx, round)
	switch {
	case entry == nil:
		return h, time.Time{}, err
	case Damaged(err):
		err = nil
	}
	return h, entry.Created().UTC(), err
}

func (l *link) holder(ctx context.Context, round string) (h job.Holder, entry jetstream.KeyValueEntry, err error) {
	key := job.HolderKey(round)
	entry, err = l.get(ctx, l.rounds(), key)
	if errors.Is(err, ErrNotFound) {
		return h, nil, nil
	}
	if err != nil {
		return h, nil, err
	}
	if h, err = decodeHolder(entry.Value()); err != nil {
		err = &ValueError{Bucket: job.BucketRounds, Key: key, Err: err}
	}
	return h, entry, err
}

func decodeHolder(data []byte) (h job.Holder, err error) {
	if err = json.Unmarshal(data, &h); err == nil {
		err = readable(h.Version)
	}
	if err != nil {
		return job.Holder{}, err
	}
	return h, nil
}

// Hold is what a producer holds, or held: a round, or the schedule.
type Hold struct {
	job.Holder

	Round    string
	Revision uint64
}

// List lists what producers hold, or held. A value that cannot be read is left out: it
// names no producer.
func (ho Holders) List(ctx context.Context) ([]Hold, error) {
	var all []Hold
	err := ho.list(ctx, ho.rounds(), job.HolderKey("*"), func(entry jetstream.KeyValueEntry) {
		if h, err := decodeHolder(entry.Value()); err == nil {
			all = append(all, Hold{Holder: h, Round: strings.TrimSuffix(entry.Key(), job.HolderKey("")), Revision: entry.Revision()})
		}
	})
	return all, err
}

// Set says who runs a round if that still is at the given revision, and
// returns the new one; ErrConflict if it is not.
func (ho Holders) Set(ctx context.Context, round string, h job.Holder, revision uint64) (uint64, error) {
	h.Version = job.Version
	data, err := json.Marshal(h)
	if err != nil {
		return 0, fmt.Errorf("encoding the holder of %s: %w", round, err)
	}
	return ho.write(ctx, ho.rounds(), job.HolderKey(round), data, revision)
}
