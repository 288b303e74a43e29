package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Turn reads the schedule's last turn, with the revision that SetTurn wants, also
// when the value is damaged (*ValueError); the revision is 0 when there was none.
func (s Schedule) Turn(ctx context.Context) (job.Turn, uint64, error) {
	entry, err := s.get(ctx, s.rounds(), job.TurnKey)
	if errors.Is(err, ErrNotFound) {
		return job.Turn{}, 0, nil
	}
	if err != nil {
		return job.Turn{}, 0, err
	}
	var t job.Turn
	if err = json.Unmarshal(entry.Value(), &t); err == nil {
		err = readable(t.Version)
	}
	if err == nil && (!job.ValidRound(t.Round) || t.Due.IsZero()) {
		err = fmt.Errorf("it is of round %q, due at %s", t.Round, t.Due)
	}
	if err != nil {
		return job.Turn{}, entry.Revision(), &ValueError{Bucket: job.BucketRounds, Key: job.TurnKey, Err: err}
	}
	return t, entry.Revision(), nil
}

// SetTurn begins the schedule's next turn if the last one still is at the given
// revision; ErrConflict if it is not.
func (s Schedule) SetTurn(ctx context.Context, t job.Turn, revision uint64) error {
	t.Version = job.Version
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encoding the turn of round %s: %w", t.Round, err)
	}
	_, err = s.write(ctx, s.rounds(), job.TurnKey, data, revision)
	return err
}

func (l *link) identities() jetstream.KeyValue { return l.buckets[job.BucketIdentities] }

// Identities reads whose accounts the miners' tokens were, by uid. One that
// cannot be read is left out: it is as good as none.
func (m Miners) Identities(ctx context.Context) (map[int]job.Identity, error) {
	known := map[int]job.Identity{}
	err := m.list(ctx, m.identities(), "*", func(entry jetstream.KeyValueEntry) {
		var i job.Identity
		if json.Unmarshal(entry.Value(), &i) == nil && readable(i.Version) == nil && strconv.Itoa(i.UID) == entry.Key() {
			known[i.UID] = i
		}
	})
	return known, err
}

// PutIdentity keeps an identity for as long as it may stand in.
func (m Miners) PutIdentity(ctx context.Context, i job.Identity) error {
	i.Version = job.Version
	data, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("encoding the identity of miner %d: %w", i.UID, err)
	}
	return m.put(ctx, m.identities(), strconv.Itoa(i.UID), data)
}
