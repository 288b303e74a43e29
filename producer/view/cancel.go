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

// Cancel is an order to end a round or some of its jobs, and what has come of it.
type Cancel struct {
	Round string `json:"round"`
	// Replay is the run of the round that the order is for: 0 for the round itself, n for
	// its nth replay.
	Replay int `json:"replay"`
	// Whole says that the whole run is cancelled, and not only some miners.
	Whole  bool      `json:"whole"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
	// UIDs are the miners whose jobs were outstanding when the order was given, Already
	// those of the asked that were cancelled before.
	UIDs    []int `json:"uids"`
	Already []int `json:"already_cancelled"`

	// Cancelled are those of UIDs whose jobs have ended as cancelled, Otherwise those
	// whose jobs ended otherwise before the order was carried out.
	Cancelled []int `json:"cancelled"`
	Otherwise []int `json:"ended_otherwise"`

	// The rest is the round's.
	State        State `json:"state"`
	Revision     int   `json:"revision"`
	Complete     bool  `json:"complete"`
	Outstanding  int   `json:"outstanding"`
	PlannedRules int   `json:"planned_rules"`
}

// OrderCancel stores an order to cancel a round; "latest" is the last one planned.
func OrderCancel(ctx context.Context, bus *jobstream.Bus, name string, order job.CancelOrder) (round.Cancelled, error) {
	return cancelBy(ctx, bus, name, order, round.OrderCancel)
}

// WouldCancel says what such an order would end.
func WouldCancel(ctx context.Context, bus *jobstream.Bus, name string, uids []int) (round.Cancelled, error) {
	return cancelBy(ctx, bus, name, job.CancelOrder{UIDs: uids}, round.WouldCancel)
}

func cancelBy(
	ctx context.Context, bus *jobstream.Bus, name string, order job.CancelOrder,
	give func(context.Context, *jobstream.Bus, string, job.CancelOrder) (round.Cancelled, error),
) (c round.Cancelled, err error) {
	if name == Latest {
		if name, err = LastPlanned(ctx, bus); err != nil {
			return c, err
		}
	}
	if !job.ValidRound(name) {
		rounds, err := bus.Rounds.List(ctx)
		if err != nil {
			return c, fmt.Errorf("listing the rounds: %w", err)
		}
		return c, fmt.Errorf("%w: %.80q; %s", ErrNoRound, name, Listed(rounds))
	}
	c, err = give(ctx, bus, name, order)
	if errors.Is(err, jobstream.ErrNotFound) {
		return c, without(ctx, bus, name)
	}
	return c, err
}

// CancelOf reads what has come of an order by now.
func CancelOf(ctx context.Context, bus *jobstream.Bus, c round.Cancelled, now time.Time) (Cancel, error) {
	v := Cancel{
		Round:     c.Round,
		Replay:    c.Replay,
		Whole:     c.Order.Whole(),
		By:        c.Order.By,
		At:        c.Order.At.UTC(),
		Reason:    c.Order.Reason,
		UIDs:      c.UIDs,
		Already:   c.Already,
		Cancelled: []int{},
		Otherwise: []int{},
	}
	stands, err := RoundOf(ctx, bus, c.Round, now)
	if err != nil {
		return v, err
	}
	v.State = stands.State
	v.Revision = stands.Revision
	v.Complete = stands.Complete
	v.Outstanding = stands.Outstanding
	v.PlannedRules = stands.PlannedRules
	records, err := bus.Records.List(ctx, c.Round)
	if err != nil {
		return v, fmt.Errorf("reading the records of round %s: %w", c.Round, err)
	}
	slices.SortFunc(records, func(a, b job.Record) int { return a.UID - b.UID })
	for _, r := range records {
		switch {
		case !slices.Contains(c.UIDs, r.UID) || !r.Phase.Ended() || r.Replay < c.ReplayOf(r.UID):
		case r.Phase == job.Failed && r.Failure != nil && r.Failure.Class == job.Cancelled:
			v.Cancelled = append(v.Cancelled, r.UID)
		default:
			v.Otherwise = append(v.Otherwise, r.UID)
		}
	}
	return v, nil
}
