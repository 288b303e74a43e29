package jobstream

import (
	"context"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// Turn reads the schedule's last turn, with the revision that SetTurn wants, also
// when the value is damaged (*ValueError); the revision is 0 when there was none.
func (s Schedule) Turn(ctx context.Context) (job.Turn, uint64, error) {
	t, stored, err := s.turn().Find(ctx)
	return t, stored.Revision, err
}

// SetTurn begins the schedule's next turn if the last one still is at the given
// revision; ErrConflict if it is not.
func (s Schedule) SetTurn(ctx context.Context, t job.Turn, revision uint64) error {
	_, err := s.turn().Swap(ctx, t, revision)
	return err
}

// LastConclusion reads when rounds were last concluded, with the revision of what says
// so, also when that is damaged (*ValueError); the revision is 0 when nobody ever
// has.
func (s Schedule) LastConclusion(ctx context.Context) (job.Last, uint64, error) {
	last, stored, err := s.lastConclusion().Find(ctx)
	return last, stored.Revision, err
}

// RecordConclusion says that a round was concluded, whoever else says so at the
// same time. A value that cannot be read is replaced.
func (s Schedule) RecordConclusion(ctx context.Context, at time.Time, complete bool) error {
	_, _, err := s.lastConclusion().Change(ctx, func(last job.Last, stored kv.Stored, damaged bool) (job.Last, bool) {
		next := last.With(at, complete)
		return next, stored.Revision == 0 || damaged || next != last
	})
	return err
}
