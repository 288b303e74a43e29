package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/kv"
)

// Standings reads how rounds stand. It keeps what it has read of the last rounds, and asks each
// time whether any of that has changed, is damaged or is gone. That takes two requests for the
// round and two for its records, where reading the records takes one for each miner. The zero
// Standings keeps nothing.
type Standings struct {
	stands  *marked[standing]
	records *marked[storedRecords]
}

// How many are kept bounds the memory: the standings of a page of rounds, and a few more; the
// larger records of fewer rounds.
const (
	standingsKept = 128
	recordsKept   = 8
)

// NewStandings returns one that keeps what it reads.
func NewStandings() *Standings {
	return &Standings{stands: &marked[standing]{limit: standingsKept}, records: &marked[storedRecords]{limit: recordsKept}}
}

// storedRecords are the records that are stored of a round.
type storedRecords struct {
	list   []job.Record
	damage []job.Damage
}

// Of reads how a round stands. now is the clock by which a producer lives.
func (s *Standings) Of(ctx context.Context, bus *jobstream.Bus, name string, now time.Time) (Round, error) {
	stands, err := s.standing(ctx, bus, name, now)
	if errors.Is(err, jobstream.ErrNotFound) {
		return Round{}, without(ctx, bus, name)
	}
	if err == nil {
		var records outcome.Records
		if records, err = s.recordsOf(ctx, bus, stands.manifest); err == nil {
			return roundOf(ctx, bus, &stands, records)
		}
	}
	return Round{}, fmt.Errorf("round %s: %w", name, err)
}

// standing is how a round stands by its outcome; ErrNotFound for a round that nobody has
// planned.
func (s *Standings) standing(ctx context.Context, bus *jobstream.Bus, name string, now time.Time) (standing, error) {
	stands, err := s.stands.read(name,
		func() (kv.Mark, error) { return bus.Rounds.Mark(ctx, name) },
		func() (standing, error) {
			m, err := bus.Rounds.Planned(ctx, name)
			if err != nil {
				return standing{}, err
			}
			return readStanding(ctx, bus, m)
		})
	stands.at(now)
	return stands, err
}

// counted counts the records of a standing, if no outcome has counted them, or a replay changes
// them.
func (s *Standings) counted(ctx context.Context, bus *jobstream.Bus, stands standing) (Summary, error) {
	if stands.ConcludedAt != nil && stands.State != Replaying {
		return stands.Summary, nil
	}
	records, err := s.recordsOf(ctx, bus, stands.manifest)
	if err == nil {
		stands.count(stands.manifest, records.List)
	}
	return stands.Summary, err
}

// recordsOf reads the records of a round's jobs.
func (s *Standings) recordsOf(ctx context.Context, bus *jobstream.Bus, m job.Manifest) (outcome.Records, error) {
	stored, err := s.records.read(m.Round,
		func() (kv.Mark, error) { return bus.Records.Mark(ctx, m.Round) },
		func() (stored storedRecords, err error) {
			stored.list, stored.damage, err = bus.Records.ListAll(ctx, m.Round)
			return stored, err
		})
	if err != nil {
		return outcome.Records{}, fmt.Errorf("reading the records: %w", err)
	}
	return outcome.RecordsOf(m, slices.Clone(stored.list), stored.damage), nil
}
