package jobstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/scoring"
)

// Origin is the conclusion that a stored evaluation comes from.
type Origin struct {
	Round     string    `json:"round,omitempty"`
	PlannedAt time.Time `json:"planned_at,omitzero"`
	Revision  int       `json:"revision,omitempty"`
}

// after says whether o is a later round than former, or a later revision of the same round.
func (o Origin) after(former Origin) bool {
	if !o.PlannedAt.Equal(former.PlannedAt) {
		return o.PlannedAt.After(former.PlannedAt)
	}
	return o.Round == former.Round && o.Revision > former.Revision || o.Round > former.Round
}

// stored is a stored evaluation with the version of the build that wrote it.
type stored struct {
	Origin

	Version int `json:"version"`
	// Evaluation is nil if the last conclusion dropped it. The entry stays nevertheless: an
	// earlier round that is concluded again must not put the evaluation back.
	Evaluation *scoring.StoredEvaluation `json:"evaluation,omitempty"`
}

// Evaluations reads the last good evaluation of every miner, by uid. One that cannot be
// read, because it is damaged or of another version, counts as absent. Those are counted,
// and logged in one line.
func (m Miners) Evaluations(ctx context.Context) (map[int]scoring.StoredEvaluation, error) {
	all, _, err := m.storedUntil(ctx, nil)
	return all, err
}

// EvaluationsBefore reads the evaluations as they were before a conclusion. Entries that
// this conclusion or a later one has changed are left out and counted, because their former
// values are gone.
func (m Miners) EvaluationsBefore(ctx context.Context, from Origin) (all map[int]scoring.StoredEvaluation, changed int, err error) {
	return m.storedUntil(ctx, &from)
}

func (l *link) storedUntil(ctx context.Context, from *Origin) (all map[int]scoring.StoredEvaluation, changed int, err error) {
	packed := map[string]jetstream.KeyValueEntry{}
	err = l.miners().List(ctx, "*", func(entry jetstream.KeyValueEntry) { packed[entry.Key()] = entry })
	if err != nil {
		return nil, 0, err
	}
	all = make(map[int]scoring.StoredEvaluation, len(packed))
	var unreadable []string
	var wrong []error
	for key, entry := range packed {
		s, _, err := l.stored(key).Decode(ctx, entry)
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
		const maxErrors = 5 // an error each is enough to see what is wrong
		slices.Sort(unreadable)
		l.cfg.Log.WarnContext(ctx, "stored evaluations cannot be read and count as absent",
			"count", len(unreadable), "uids", unreadable, "error", errors.Join(wrong[:min(maxErrors, len(wrong))]...))
	}
	return all, changed, nil
}

// Damage says why a miner's stored evaluation cannot be read; nil if it can be read, or if
// there is none.
func (m Miners) Damage(ctx context.Context, uid int) (damage, err error) {
	_, _, err = m.stored(strconv.Itoa(uid)).Find(ctx)
	if Damaged(err) {
		return err, nil
	}
	return nil, err
}

// Change applies a round's changes to the stored evaluations. An entry that a later round or
// revision has changed stays as it is, so an earlier round that is concluded again does not
// undo it. Change may be repeated.
func (m Miners) Change(ctx context.Context, from Origin, changes []scoring.StoredChange) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(kv.AtOnce)
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
	_, changed, err := l.stored(strconv.Itoa(change.UID)).Change(ctx, func(former stored, _ kv.Stored, _ bool) (stored, bool) {
		return stored{Origin: from, Evaluation: change.Evaluation}, !former.after(from)
	})
	if changed {
		crash.At(crash.OneStoredChanged)
	}
	return err
}

// PutSnapshot stores the evaluations that a round begins with, so that every producer that
// concludes the round starts from the same ones. An existing snapshot stays as it is.
func (ro Rounds) PutSnapshot(ctx context.Context, round string, all map[int]scoring.StoredEvaluation) error {
	err := ro.snapshot(round).Create(ctx, all)
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// RestoreSnapshot stores a snapshot again if it is gone or cannot be read, and says whether
// it did.
func (ro Rounds) RestoreSnapshot(ctx context.Context, round string, all map[int]scoring.StoredEvaluation) (bool, error) {
	return ro.snapshot(round).Restore(ctx, all)
}

// Snapshot reads what PutSnapshot stored; ErrNotFound if there is none, a *ValueError if it
// cannot be read.
func (ro Rounds) Snapshot(ctx context.Context, round string) (map[int]scoring.StoredEvaluation, error) {
	all, _, err := ro.snapshot(round).Load(ctx)
	return all, err
}
