package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// atOnce bounds the operations that one list of things has under way: enough
// to hide the way to the server, too few to starve anybody else's.
const atOnce = 32

// Origin says which conclusion a stored evaluation is from.
type Origin struct {
	Round     string    `json:"round,omitempty"`
	PlannedAt time.Time `json:"planned_at,omitzero"`
	Revision  int       `json:"revision,omitempty"`
}

// after says whether o is of a later round than former, or a later revision of
// the same one.
func (o Origin) after(former Origin) bool {
	if !o.PlannedAt.Equal(former.PlannedAt) {
		return o.PlannedAt.After(former.PlannedAt)
	}
	return o.Round == former.Round && o.Revision > former.Revision || o.Round > former.Round
}

// stored is a stored evaluation with the version that wrote it.
type stored struct {
	Origin

	Version int `json:"version"`
	// Evaluation is nil when the last conclusion dropped it: that it did must
	// be known to an earlier round that is concluded anew.
	Evaluation *scoring.StoredEvaluation `json:"evaluation,omitempty"`
}

func (l *link) miners() jetstream.KeyValue { return l.buckets[job.BucketMiners] }

// Evaluations reads the last good evaluation of every miner, by uid. One
// that cannot be read, because it is damaged or of another version, is treated
// as absent; what is so is counted and logged, once for all.
func (m Miners) Evaluations(ctx context.Context) (map[int]scoring.StoredEvaluation, error) {
	all, _, err := m.storedUntil(ctx, nil)
	return all, err
}

// EvaluationsBefore reads what Evaluations would have read before a conclusion.
// Entries that it or a later one has changed are left out and counted: what they
// were is not known any more.
func (m Miners) EvaluationsBefore(ctx context.Context, from Origin) (all map[int]scoring.StoredEvaluation, changed int, err error) {
	return m.storedUntil(ctx, &from)
}

func (l *link) storedUntil(ctx context.Context, from *Origin) (all map[int]scoring.StoredEvaluation, changed int, err error) {
	packed := map[string][]byte{}
	err = l.list(ctx, l.miners(), "*", func(entry jetstream.KeyValueEntry) { packed[entry.Key()] = entry.Value() })
	if err != nil {
		return nil, 0, err
	}
	all = make(map[int]scoring.StoredEvaluation, len(packed))
	var unreadable []string
	var wrong []error
	for key, value := range packed {
		s, err := l.unpackStored(ctx, key, value)
		switch {
		case Damaged(err):
			unreadable, wrong = append(unreadable, key), append(wrong, err)
		case err != nil:
			return nil, 0, err
		case from != nil && !from.after(s.Origin):
			changed++
		case s.Evaluation != nil:
			all[s.Evaluation.UID] = *s.Evaluation
		}
		delete(packed, key) // the two forms of all of them are never held at once
	}
	if len(unreadable) > 0 {
		const most = 5 // an error each is enough to see what is wrong
		slices.Sort(unreadable)
		l.cfg.Log.WarnContext(ctx, "stored evaluations cannot be read and count as absent",
			"count", len(unreadable), "uids", unreadable, "error", errors.Join(wrong[:min(most, len(wrong))]...))
	}
	return all, changed, nil
}

// Damage is why a miner's stored evaluation cannot be read; nil if it can,
// or if there is none.
func (m Miners) Damage(ctx context.Context, uid int) (damage, err error) {
	entry, err := m.get(ctx, m.miners(), strconv.Itoa(uid))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err = m.unpackStored(ctx, entry.Key(), entry.Value()); Damaged(err) {
		return err, nil
	}
	return nil, err
}

// unpackStored reads one; whatever is wrong with the value itself is a
// *ValueError.
func (l *link) unpackStored(ctx context.Context, key string, value []byte) (stored, error) {
	data, err := l.unpack(ctx, l.miners(), key, value)
	if err != nil {
		return stored{}, err
	}
	var s stored
	uid, err := strconv.Atoi(key)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil {
		err = readable(s.Version)
	}
	if err == nil && s.Evaluation != nil && s.Evaluation.UID != uid {
		err = fmt.Errorf("it is of miner %d", s.Evaluation.UID)
	}
	if err != nil {
		return stored{}, &ValueError{Bucket: job.BucketMiners, Key: key, Err: err}
	}
	return s, nil
}

// Change does to the stored evaluations what a round concluded, each
// unless a later round or revision has already changed it: a round that is
// concluded anew does not put back what was. Doing it twice is doing it once.
func (m Miners) Change(ctx context.Context, from Origin, changes []scoring.StoredChange) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, change := range changes {
		group.Go(func() error {
			if err := m.changeStored(ctx, from, change); err != nil {
				return fmt.Errorf("stored evaluation of miner %d: %w", change.UID, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (l *link) changeStored(ctx context.Context, from Origin, change scoring.StoredChange) error {
	key := strconv.Itoa(change.UID)
	data, err := json.Marshal(stored{from, job.Version, change.Evaluation})
	if err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	for {
		former, revision, err := l.origin(ctx, key)
		if err != nil || former.after(from) {
			return err
		}
		packed, err := l.pack(ctx, l.miners(), key, data)
		if err != nil {
			return err
		}
		if _, err = l.write(ctx, l.miners(), key, packed, revision); err == nil {
			crash.At(crash.OneStoredChanged)
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// origin says where a stored evaluation is from, and its revision. One that
// cannot be read is from nowhere.
func (l *link) origin(ctx context.Context, key string) (Origin, uint64, error) {
	entry, err := l.get(ctx, l.miners(), key)
	if errors.Is(err, ErrNotFound) {
		return Origin{}, 0, nil
	}
	if err != nil {
		return Origin{}, 0, err
	}
	s, err := l.unpackStored(ctx, key, entry.Value())
	if err != nil && !Damaged(err) {
		return Origin{}, 0, err
	}
	return s.Origin, entry.Revision(), nil
}

// PutSnapshot keeps the stored evaluations that a round begins with: whoever
// concludes it, and whenever, starts from the same ones. One that is there
// already stays as it is.
func (ro Rounds) PutSnapshot(ctx context.Context, round string, all map[int]scoring.StoredEvaluation) error {
	data, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encoding the stored evaluations of round %s: %w", round, err)
	}
	err = ro.createRoundValue(ctx, job.SnapshotKey(round), data)
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// RestoreSnapshot stores a snapshot that is gone or cannot be read, and says
// whether it had to.
func (ro Rounds) RestoreSnapshot(ctx context.Context, round string, all map[int]scoring.StoredEvaluation) (bool, error) {
	data, err := json.Marshal(all)
	if err != nil {
		return false, fmt.Errorf("encoding the stored evaluations of round %s: %w", round, err)
	}
	return ro.restore(ctx, job.SnapshotKey(round), data, func(stored []byte) error {
		var there map[int]scoring.StoredEvaluation
		return json.Unmarshal(stored, &there)
	})
}

// Snapshot reads what PutSnapshot kept; ErrNotFound if nothing was, a *ValueError
// if it cannot be read.
func (ro Rounds) Snapshot(ctx context.Context, round string) (map[int]scoring.StoredEvaluation, error) {
	var all map[int]scoring.StoredEvaluation
	_, err := ro.loadRound(ctx, job.SnapshotKey(round), &all)
	return all, err
}
