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

// ErrLost says that a round cannot be gone on with: its manifest is gone or cannot
// be read, and no producer that lives has it.
var ErrLost = errors.New("the round is lost: its manifest is gone or cannot be read")

// ErrNoKey says that a round is signed and that this process cannot sign its
// outcome: a round is signed whole or not at all.
var ErrNoKey = errors.New("it was planned with a signing key, and no outcome of it counts without a signature: " +
	"give --signing-key, or go on with it where the key is")

// known is what this process knows of a round that it has read once: the manifest
// as it is stored, and with what replays have found out about its miners since.
type known struct {
	job.Manifest

	stored job.Manifest
	past   *past
}

// past is what this process has seen of a round, and done for it, while it held it:
// it outlives a hold that is lost and comes back.
type past struct {
	// stored are the stored evaluations that the round began with; nil while nobody
	// has read them.
	stored map[int]scoring.StoredEvaluation
	// mended is what was put right on the way to the next outcome, which has the list.
	mended []outcome.Mended
}

// manifest reads what a round was planned with. What is gone or unreadable by now
// is put back if it is known from before.
func (r *Runner) manifest(ctx context.Context, round string, before known) (known, error) {
	before.past = cmp.Or(before.past, &past{})
	stored, err := r.cfg.Bus.Rounds.Manifest(ctx, round)
	lost := jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound)
	switch {
	case lost && before.stored.Round == round:
		if _, err := r.cfg.Bus.Rounds.RestoreManifest(ctx, before.stored); err != nil {
			return before, fmt.Errorf("putting the manifest of round %s back: %w", round, err)
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

// work is a round, or a replay of it, on its way to its outcome, with what this
// process has seen of it: what the streams lose of that is put back from here.
type work struct {
	*Runner

	m      known
	replay job.Replay
	jobs   []job.Job
	// overdueAt is when the round has to end; zero for never.
	overdueAt time.Time
	registry  input.Registry
	// stored are the stored evaluations that the round began with; partly says that
	// some of them are not known any more.
	stored map[int]scoring.StoredEvaluation
	partly bool

	lost []outcome.Lost

	// listed are the records of ended jobs, from whoever reconciles to the collector.
	listed chan []job.Record

	mu    sync.Mutex
	ended map[int]job.Record // as they were seen to end
}

// newWork checks that the round can be concluded at all.
func (r *Runner) newWork(m known, replay job.Replay) (*work, error) {
	registry, err := input.ParseRegistry(m.Registry)
	if err != nil {
		return nil, fmt.Errorf("round %s: %w: registry: %w", m.Round, ErrLost, err)
	}
	return &work{
		Runner: r, m: m, replay: replay, jobs: jobsOf(m.Manifest, replay), overdueAt: overdue(m.Manifest, replay),
		registry: registry, ended: map[int]job.Record{}, listed: make(chan []job.Record),
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

// end is how a job was seen to end in a replay, or after it.
func (w *work) end(uid, replay int) (job.Record, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	record, ended := w.ended[uid]
	return record, ended && record.Replay >= replay
}

// late says whether the round does not wait for anything any more.
func (w *work) late(now time.Time) bool { return !w.overdueAt.IsZero() && !now.Before(w.overdueAt) }

// note lists a thing that was put right; the outcome has the list.
func (w *work) note(ctx context.Context, uid int, what repairKind) {
	w.m.past.mended = append(w.m.past.mended, w.tell(ctx, w.m.Round, uid, string(what)))
}
