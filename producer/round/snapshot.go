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

// snapshot keeps the stored evaluations as they are before the round, or reads
// those that were kept. Where these are gone or cannot be read though the round has
// begun, they are put together again.
func (w *work) snapshot(ctx context.Context) error {
	if w.stored = w.m.past.stored; w.stored != nil { // it was at work on the round before
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

// begun says whether anything was published of the round: then its snapshot was
// kept before.
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
	w.stored, err = w.cfg.Bus.Rounds.Snapshot(ctx, w.m.Round) // another producer may have been first
	return err
}

// rebuildSnapshot takes what is stored now, without what this round or a later one
// has changed since. Only if nothing has, it is what was: then it is kept again.
// Otherwise every conclusion finds that it is not, and says so.
func (w *work) rebuildSnapshot(ctx context.Context, why error) error {
	stored, changed, err := w.cfg.Bus.Miners.EvaluationsBefore(ctx, jobstream.Origin{Round: w.m.Round, PlannedAt: w.m.PlannedAt})
	if err != nil {
		return fmt.Errorf("putting the stored evaluations together that the round began with: %w", err)
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

// unendedBefore is the last round before this one that has no outcome, "" for none. A
// round begins when the one before it has ended: that one has lost its outcome.
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

// keepSnapshot puts the snapshot back if the streams have lost it.
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
