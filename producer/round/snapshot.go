package round

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/jobstream"
)

// snapshot stores a copy of the stored evaluations as they are before the round, or reads
// the copy that exists. Every conclusion of the round starts from it, so that a revision
// does not build on what the first one has stored. If the copy is lost after the round has
// begun, it is put together again.
func (w *work) snapshot(ctx context.Context) error {
	if w.stored = w.m.past.stored; w.stored != nil { // this process has worked on the round before
		return w.keepSnapshot(ctx)
	}
	err := w.findSnapshot(ctx)
	if err == nil && !w.partly {
		w.m.past.stored = w.stored
	}
	return err
}

func (w *work) findSnapshot(ctx context.Context) error {
	var err error
	w.stored, err = w.cfg.Bus.Rounds.Snapshot(ctx, w.m.Round)
	missing := errors.Is(err, jobstream.ErrNotFound)
	switch {
	case err == nil:
		return nil
	case !missing && !jobstream.Damaged(err):
		return fmt.Errorf("reading the stored evaluations that the round began with: %w", err)
	}
	why := err
	if missing {
		begun, err := w.begun(ctx)
		if err != nil {
			return err
		}
		if !begun {
			return w.takeSnapshot(ctx)
		}
	}
	return w.rebuildSnapshot(ctx, why)
}

// begun reports whether any job of the round was planned, or the round was replayed. Its
// snapshot existed then, since it is written first.
func (w *work) begun(ctx context.Context) (bool, error) {
	if w.replay.Number > 0 {
		return true, nil
	}
	records, damage, err := w.cfg.Bus.Records.ListAll(ctx, w.m.Round)
	if err != nil {
		return false, fmt.Errorf("reading the records: %w", err)
	}
	return len(records)+len(damage) > 0, nil
}

func (w *work) takeSnapshot(ctx context.Context) error {
	stored, err := w.cfg.Bus.Miners.Evaluations(ctx)
	if err != nil {
		return fmt.Errorf("reading the stored evaluations: %w", err)
	}
	refilled, err := w.refill(ctx, stored)
	if err != nil {
		return err
	}
	if refilled {
		if stored, err = w.cfg.Bus.Miners.Evaluations(ctx); err != nil {
			return fmt.Errorf("reading the stored evaluations: %w", err)
		}
	}
	if err := w.cfg.Bus.Rounds.PutSnapshot(ctx, w.m.Round, stored); err != nil {
		return err
	}
	w.stored, err = w.cfg.Bus.Rounds.Snapshot(ctx, w.m.Round) // read back: another producer may have been first
	return err
}

// rebuildSnapshot takes the stored evaluations as they are now, without those that this
// round or a later one has changed. If none was changed, this is exactly the lost snapshot,
// and it is stored again. Otherwise it is only a part: it is not stored, and every
// conclusion lists the loss.
func (w *work) rebuildSnapshot(ctx context.Context, why error) error {
	stored, changed, err := w.cfg.Bus.Miners.EvaluationsBefore(ctx, jobstream.Origin{Round: w.m.Round, PlannedAt: w.m.PlannedAt})
	if err != nil {
		return fmt.Errorf("rebuilding the stored evaluations that the round began with: %w", err)
	}
	unended, err := w.unendedBefore(ctx)
	if err != nil {
		return err
	}
	w.stored, w.partly = stored, changed > 0 || unended != ""
	if !w.partly {
		return w.keepSnapshot(ctx)
	}
	if unended != "" {
		w.lost = append(w.lost, outcome.Lost{
			What:  "stored evaluations that the round began with",
			Error: fmt.Sprintf("what round %s had left may have been among them, and its outcome is gone: %v", unended, why),
		})
	}
	if changed == 0 {
		return nil
	}
	w.lost = append(w.lost, outcome.Lost{
		What:  "stored evaluations that the round began with",
		Error: fmt.Sprintf("%d of them were changed since and count as absent: %v", changed, why),
	})
	w.cfg.Log.WarnContext(ctx, "the stored evaluations that the round began with are gone or unreadable, and were changed since",
		"round", w.m.Round, "changed", changed, "error", why)
	return nil
}

// unendedBefore returns the name of the round before this one if it has no outcome; "" if
// it has. A scheduled round begins only when the one before it has ended, so a missing
// outcome means that it was lost, and with it perhaps changes of stored evaluations.
func (w *work) unendedBefore(ctx context.Context) (string, error) {
	planned, err := w.cfg.Bus.Rounds.List(ctx)
	if err != nil {
		return "", fmt.Errorf("listing the rounds: %w", err)
	}
	concluded, err := w.cfg.Bus.Rounds.Concluded(ctx)
	if err != nil {
		return "", fmt.Errorf("listing the concluded rounds: %w", err)
	}
	for _, name := range slices.Backward(planned) {
		if name < w.m.Round {
			if slices.Contains(concluded, name) {
				return "", nil
			}
			return name, nil
		}
	}
	return "", nil
}

// keepSnapshot restores the snapshot if the streams have lost it. A partial one is not
// stored, or it would pass for the whole.
func (w *work) keepSnapshot(ctx context.Context) error {
	if w.partly {
		return nil
	}
	restored, err := w.cfg.Bus.Rounds.RestoreSnapshot(ctx, w.m.Round, w.stored)
	if err != nil {
		return fmt.Errorf("keeping the stored evaluations that the round began with: %w", err)
	}
	if restored {
		crash.At(crash.SnapshotRestored)
		w.note(ctx, -1, lostSnapshot)
	}
	return nil
}
