package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nuid"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// errUnknownRound marks a job whose round nobody has planned.
var errUnknownRound = errors.New("unknown round")

// claim is a claim on a record, with the revision of its last read or write. All changes
// under one claim run through it, one after the other.
type claim struct {
	bus *jobstream.Bus
	id  string
	// sign is the content of the next sign of life.
	sign func() job.Sign

	mu       sync.Mutex
	record   job.Record
	revision uint64
	// over says that this claim's own last change has ended it.
	over bool
}

// claimRecord gives the job's record to this worker. Its errors: job.ErrSettled, the job has
// ended; job.ErrFenced, a later delivery has the record; errUnknownRound, the job is dead.
func (r *Runner) claimRecord(ctx context.Context, d *jobstream.Delivery, j job.Job) (*claim, error) {
	c := job.Claim{
		ID:       nuid.Next(),
		Worker:   r.cfg.Worker,
		Since:    time.Now().UTC(),
		Sequence: d.Sequence(),
		Delivery: d.Number(),
		Replay:   j.Replay,
		For:      r.cfg.Bus.AckWait(),
	}
	for {
		record, revision, err := r.recordOf(ctx, j)
		if err != nil {
			return nil, err
		}
		claimed, err := record.Claimed(c)
		if err != nil {
			return nil, fmt.Errorf("claiming: %w", err)
		}
		revision, err = r.cfg.Bus.Records.Update(ctx, claimed, revision)
		if errors.Is(err, jobstream.ErrConflict) {
			continue // the record has changed: read it again, and decide again
		}
		if err != nil {
			return nil, fmt.Errorf("claiming: %w", err)
		}
		crash.At(crash.Claimed)
		return &claim{
			bus:      r.cfg.Bus,
			id:       c.ID,
			sign:     untold,
			record:   claimed,
			revision: revision,
		}, nil
	}
}

// untold is the sign of life of a claim that has no attempt yet.
func untold() job.Sign { return job.Sign{Left: -1} }

// recordOf reads a job's record. It plans a missing one: a producer plans a job before it
// publishes it, so the record was lost.
func (r *Runner) recordOf(ctx context.Context, j job.Job) (job.Record, uint64, error) {
	for { // another process may plan the record at the same time
		record, revision, err := r.cfg.Bus.Records.Load(ctx, j.Round, j.UID)
		if !errors.Is(err, jobstream.ErrNotFound) {
			return record, revision, err
		}
		if _, err := r.cfg.Bus.Rounds.Manifest(ctx, j.Round); err != nil {
			if errors.Is(err, jobstream.ErrNotFound) {
				return job.Record{}, 0, fmt.Errorf("%w %s", errUnknownRound, j.Round)
			}
			return job.Record{}, 0, err
		}
		planned := job.Plan(j.Round, j.UID, telemetry.TraceID(ctx))
		planned.Replay = j.Replay
		created, err := r.cfg.Bus.Records.Plan(ctx, planned)
		if err != nil {
			return job.Record{}, 0, err
		}
		if created {
			crash.At(crash.RecordPlannedAnew)
			r.cfg.Log.WarnContext(ctx, "message without record: record planned anew", "round", j.Round, "uid", j.UID)
		}
	}
}

// change applies a transition to the record under this claim. After a conflict it reads the
// record again, and the transition decides on that.
func (c *claim) change(ctx context.Context, transition func(job.Record) (job.Record, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changeLocked(ctx, transition)
}

// beat writes a heartbeat to the record. After the claim's own last change it does nothing:
// a heartbeat that was under way at that moment must not look like a lost lease.
func (c *claim) beat(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil
	}
	return c.changeLocked(ctx, func(r job.Record) (job.Record, error) { return r.Beaten(c.id, c.sign()) })
}

func (c *claim) changeLocked(ctx context.Context, transition func(job.Record) (job.Record, error)) error {
	for {
		next, err := transition(c.record)
		if err != nil {
			return err
		}
		revision, err := c.bus.Records.Update(ctx, next, c.revision)
		if err == nil {
			c.record = next
			c.revision = revision
			c.over = next.Phase != job.Running
			return nil
		}
		if !errors.Is(err, jobstream.ErrConflict) {
			return err
		}
		now, revision, err := c.bus.Records.Load(ctx, c.record.Round, c.record.UID)
		if err != nil { // the known record stays: the next change reads again
			return err
		}
		c.record, c.revision = now, revision
	}
}

// current is the record as this claim last saw it.
func (c *claim) current() job.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record
}
