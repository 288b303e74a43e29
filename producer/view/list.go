package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// List is a page of rounds, newest first.
type List struct {
	Rounds []Summary `json:"rounds"`
	// Earlier counts the rounds before these; Cursor is where the page of those
	// begins, "" without any.
	Earlier int    `json:"earlier"`
	Cursor  string `json:"next_cursor,omitempty"`
	// WarmUp is the last warm-up; nil if there was none.
	WarmUp *WarmUp `json:"warm_up,omitempty"`
	// Schedule is how the schedule stands; nil if there never was one, and nothing was
	// ordered.
	Schedule *Schedule `json:"schedule,omitempty"`
}

// ListOf reads the last rounds of which anything is stored, at most limit; 0 reads all. With
// a cursor it reads the last ones before that. now decides whether a producer is alive. The
// cursor is a name and not a position, so that rounds that begin between two pages shift
// nothing.
func ListOf(ctx context.Context, bus *jobstream.Bus, cursor string, limit int, now time.Time) (page List, err error) {
	return (&Standings{}).List(ctx, bus, cursor, limit, now)
}

// List is ListOf.
func (s *Standings) List(ctx context.Context, bus *jobstream.Bus, cursor string, limit int, now time.Time) (page List, err error) {
	names, err := rounds(ctx, bus)
	if err != nil {
		return page, fmt.Errorf("listing the rounds: %w", err)
	}
	if cursor != "" {
		end, _ := slices.BinarySearch(names, cursor)
		names = names[:end]
	}
	if limit > 0 && len(names) > limit {
		page.Earlier = len(names) - limit
		names = names[page.Earlier:]
		page.Cursor = names[0]
	}
	slices.Reverse(names)
	if page.Rounds, err = s.summaries(ctx, bus, names, now); err != nil {
		return page, err
	}
	if page.WarmUp, err = warmUpOf(ctx, bus, now); err != nil {
		return page, err
	}
	stands, err := ScheduleOf(ctx, bus, now)
	if !stands.empty() {
		page.Schedule = &stands
	}
	return page, err
}

// rounds names the rounds that were planned, and those that have lost their manifest,
// in the order of their names.
func rounds(ctx context.Context, bus *jobstream.Bus) ([]string, error) {
	names, err := bus.Rounds.List(ctx)
	if err != nil {
		return nil, err
	}
	left, err := bus.Rounds.Left(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range left {
		if _, ours := round.InstantOf(name); ours { // not somebody's key
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// summaries reads rounds by their names, in the order given. A round that was removed since
// it was listed is left out. One that is damaged, or has lost its manifest, is listed as
// damaged, and does not keep the others from being listed.
func (s *Standings) summaries(ctx context.Context, bus *jobstream.Bus, names []string, now time.Time) (all []Summary, err error) {
	all = []Summary{}
	for _, name := range names {
		stands, err := s.standing(ctx, bus, name, now)
		if err == nil {
			stands.Summary, err = s.counted(ctx, bus, stands)
		}
		if errors.Is(err, jobstream.ErrNotFound) {
			if _, err = bus.Inventory(ctx, name); errors.Is(err, jobstream.ErrNotFound) {
				continue
			}
			if err == nil {
				err = &jobstream.ValueError{Bucket: job.BucketRounds, Key: job.ManifestKey(name), Err: jobstream.ErrNotFound}
			}
		}
		switch {
		case jobstream.Damaged(err):
			all = append(all, Summary{Round: name, State: Damaged})
		case err == nil:
			all = append(all, stands.Summary)
		default:
			return nil, fmt.Errorf("round %s: %w", name, err)
		}
	}
	return all, nil
}
