package view

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// WarmUp is how the last warm-up stands: what is fetched ahead of a round.
type WarmUp struct {
	ID string `json:"id"`
	// Turn is the instant of the schedule that it is ahead of; nil for one by hand.
	Turn  *time.Time `json:"turn,omitempty"`
	Begun time.Time  `json:"begun"`
	Until time.Time  `json:"until"`
	Share float64    `json:"share"`
	// Miners counts all of its miners, Done those that a worker has done with.
	Miners int `json:"miners"`
	Done   int `json:"done"`
	// Running says that it still runs; Why is why it has ended, "" when nobody said so: its
	// producer is gone.
	Running bool   `json:"running"`
	Why     string `json:"why,omitempty"`
}

// warmUpOf reads the last warm-up; nil if there was none.
func warmUpOf(ctx context.Context, bus *jobstream.Bus, now time.Time) (*WarmUp, error) {
	last, err := bus.WarmUps.Last(ctx)
	if err != nil || last.ID == "" {
		return nil, err
	}
	if last.Ended.IsZero() {
		if last.Left, err = bus.WarmUps.Left(ctx); err != nil {
			return nil, fmt.Errorf("how far warm-up %s is: %w", last.ID, err)
		}
	}
	up := WarmUpOf(last, now)
	return &up, nil
}

// WarmUpOf is how a warm-up stands.
func WarmUpOf(last job.WarmUp, now time.Time) WarmUp {
	up := WarmUp{
		ID:      last.ID,
		Begun:   last.Begun,
		Until:   last.Until,
		Share:   last.Share,
		Miners:  last.Miners,
		Done:    max(0, last.Miners-last.Left),
		Running: last.Live(now),
		Why:     last.Why,
	}
	if !last.Turn.IsZero() {
		up.Turn = &last.Turn
	}
	return up
}
