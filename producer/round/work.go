package round

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// ErrLost says that a round cannot be resumed: its manifest is gone or cannot be read, and
// this process has not read it before.
var ErrLost = errors.New("the round is lost: its manifest is gone or cannot be read")

// ErrNoKey says that a round is signed and that this process cannot sign its outcome. A
// round is signed as a whole or not at all.
var ErrNoKey = errors.New("it was planned with a signing key, so that only a signed outcome counts: " +
	"give --signing-key, or resume it where the key is")

// known is what this process knows of a round that it has read once. Manifest includes
// what replays have found out about the miners since; stored is the manifest as it is
// stored, to restore it byte for byte.
type known struct {
	job.Manifest

	stored job.Manifest
	past   *past
}

// past is what this process has seen and repaired of a round. It survives a lead that is
// lost and regained.
type past struct {
	// stored are the stored evaluations that the round began with; nil until they are
	// read.
	stored map[int]scoring.StoredEvaluation
	// mended lists the repairs since the last outcome; the next outcome includes them.
	mended []outcome.Mended
}

// manifest reads the manifest of a round and the plans of its replays. A manifest that is
// gone or unreadable is restored if before has it; otherwise the round is lost (ErrLost).
func (r *Runner) manifest(ctx context.Context, round string, before known) (known, error) {
	before.past = cmp.Or(before.past, &past{})
	stored, err := r.cfg.Bus.Rounds.Manifest(ctx, round)
	lost := jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound)
	switch {
	case lost && before.stored.Round == round:
		if _, err := r.cfg.Bus.Rounds.RestoreManifest(ctx, before.stored); err != nil {
			return before, fmt.Errorf("restoring the manifest of round %s: %w", round, err)
		}
		crash.At(crash.ManifestRestored)
		before.past.mended = append(before.past.mended, r.tell(ctx, round, -1, string(lostManifest)))
		if stored, err = r.cfg.Bus.Rounds.Manifest(ctx, round); err != nil {
			return before, fmt.Errorf("reading the manifest of round %s: %w", round, err)
		}
	case lost:
		return before, fmt.Errorf("round %s: %w: %w", round, ErrLost, err)
	case err != nil:
		return before, fmt.Errorf("reading the manifest of round %s: %w", round, err)
	}
	if stored.SignedBy != "" && !r.cfg.Bus.Signs() {
		return before, fmt.Errorf("round %s: %w", round, ErrNoKey)
	}
	replays, err := r.cfg.Bus.Rounds.Replays(ctx, round)
	if err != nil {
		return before, fmt.Errorf("reading the replays of round %s: %w", round, err)
	}
	return known{stored.After(replays), stored, before.past}, nil
}

// work is a round or a replay on its way to its outcome, with what this process has seen
// of it. What the streams lose of that is restored from here.
type work struct {
	*Runner

	m      known
	replay job.Replay // its Number is 0 for the round itself
	jobs   []job.Job
	// overdueAt is when the round must end; zero for never.
	overdueAt time.Time
	registry  input.Registry
	// stored are the stored evaluations that the round began with. partly says that some
	// of them are lost.
	stored map[int]scoring.StoredEvaluation
	partly bool

	lost []outcome.Lost // what damage has cost, for the outcome

	// listed passes the records of ended jobs from the reconciler to the collector.
	listed chan []job.Record

	// mu guards ended, which the collector writes and the reconciler reads, and cancel,
	// which all may read.
	mu     sync.Mutex
	ended  map[int]job.Record // by uid, as this process has seen the jobs end
	cancel job.Cancel         // the orders to cancel, as this process has seen them
}

// newWork checks first that the round's registry can be read: without it no outcome can be
// computed.
func (r *Runner) newWork(m known, replay job.Replay) (*work, error) {
	registry, err := input.ParseRegistry(m.Registry)
	if err != nil {
		return nil, fmt.Errorf("round %s: %w: registry: %w", m.Round, ErrLost, err)
	}
	return &work{
		Runner:    r,
		m:         m,
		replay:    replay,
		jobs:      jobsOf(m.Manifest, replay),
		overdueAt: overdue(m.Manifest, replay),
		registry:  registry,
		ended:     map[int]job.Record{},
		listed:    make(chan []job.Record),
	}, nil
}

// saw remembers how a job ended.
func (w *work) saw(record job.Record) {
	if !record.Phase.Ended() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended[record.UID] = record
}

// forget drops the end of a job that is opened again.
func (w *work) forget(uid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ended, uid)
}

// end returns how a job was seen to end in this replay or a later one.
func (w *work) end(uid, replay int) (job.Record, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	record, ended := w.ended[uid]
	return record, ended && record.Replay >= replay
}

// late reports whether the round is overdue or cancelled, and waits for nothing more.
func (w *work) late(now time.Time) bool {
	return !w.overdueAt.IsZero() && !now.Before(w.overdueAt) || w.orders().Whole()
}

// note logs a repair and adds it to the outcome's list.
func (w *work) note(ctx context.Context, uid int, what repairKind) {
	w.m.past.mended = append(w.m.past.mended, w.tell(ctx, w.m.Round, uid, string(what)))
}
