package jobstream

import (
	"context"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// Turn reads the schedule's last turn, with the revision that SetTurn needs. The revision
// comes also with a damaged value (*ValueError); it is 0 if there was no turn.
func (s Schedule) Turn(ctx context.Context) (job.Turn, uint64, error) {
	t, stored, err := s.turn().Find(ctx)
	return t, stored.Revision, err
}

// SetTurn begins the schedule's next turn if the last one still has the given revision;
// ErrConflict if it has another.
func (s Schedule) SetTurn(ctx context.Context, t job.Turn, revision uint64) error {
	_, err := s.turn().Swap(ctx, t, revision)
	return err
}

// LastConclusion reads when rounds were last concluded, with the value's revision. The
// revision comes also with a damaged value (*ValueError); it is 0 if no round was ever
// concluded.
func (s Schedule) LastConclusion(ctx context.Context) (job.Last, uint64, error) {
	last, stored, err := s.lastConclusion().Find(ctx)
	return last, stored.Revision, err
}

// RecordConclusion records that a round was concluded. Others may record theirs at the same
// time. A value that cannot be read is replaced.
func (s Schedule) RecordConclusion(ctx context.Context, at time.Time, complete bool) error {
	_, _, err := s.lastConclusion().Change(ctx, func(last job.Last, stored kv.Stored, damaged bool) (job.Last, bool) {
		next := last.With(at, complete)
		return next, stored.Revision == 0 || damaged || next != last
	})
	return err
}
