package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// RoundNow is a round as it stands, with each of its jobs. It needs no outcome.
type RoundNow struct {
	Round

	// Producer names the producer that works on it; absent without one.
	Producer string `json:"producer,omitempty"`
	// Paused is the pause for which no job is handed out. That of another round holds this
	// one back, too, because they share the queue.
	Paused   *job.RoundStop `json:"paused,omitempty"`
	Progress RoundProgress  `json:"progress"`
	Jobs     []MinerNow     `json:"jobs"`
}

// NowOf reads how a round and its jobs stand.
func NowOf(ctx context.Context, bus *jobstream.Bus, name string, now time.Time) (RoundNow, error) {
	r, err := RoundOf(ctx, bus, name, now)
	if err != nil {
		return RoundNow{}, err
	}
	f, err := NewFollow(ctx, bus, name, now)
	if err != nil {
		return RoundNow{}, err
	}
	a := RoundNow{
		Round:    r,
		Paused:   f.paused,
		Progress: ProgressOf(f.follower.Progress()),
		Jobs:     f.miners(),
	}
	if r.State == Running || r.State == Replaying {
		a.Producer, err = producerOf(ctx, bus, name)
	}
	return a, err
}

// producerOf names the producer that holds a round.
func producerOf(ctx context.Context, bus *jobstream.Bus, name string) (string, error) {
	holder, _, err := bus.Holders.LastBeat(ctx, name)
	if err != nil {
		return "", fmt.Errorf("looking for the producer of round %s: %w", name, err)
	}
	producer, _, _ := strings.Cut(cmp.Or(holder.Name, "of an unknown name"), "/")
	return producer, nil
}

// JobNow is the job of one miner as it stands, with its attempts so far. It needs no outcome.
type JobNow struct {
	Attempts

	// State is the round's. Job is absent for a miner without a job.
	State State     `json:"state"`
	Job   *MinerNow `json:"job,omitempty"`
	// Paused is that of RoundNow, and CancelOrders are those that are for this miner.
	Paused       *job.RoundStop    `json:"paused,omitempty"`
	CancelOrders []job.CancelOrder `json:"cancel_orders"`
}

// JobNowOf reads how the job of a miner stands.
func JobNowOf(ctx context.Context, bus *jobstream.Bus, name string, uid int, now time.Time) (JobNow, error) {
	attempts, err := AttemptsOf(ctx, bus, name, uid)
	if err != nil {
		return JobNow{}, err
	}
	r, err := NowOf(ctx, bus, name, now)
	if err != nil {
		return JobNow{}, err
	}
	a := JobNow{
		Attempts:     attempts,
		State:        r.State,
		Paused:       r.Paused,
		CancelOrders: []job.CancelOrder{},
	}
	if at := slices.IndexFunc(r.Jobs, func(m MinerNow) bool { return m.UID == uid }); at >= 0 {
		a.Job = &r.Jobs[at]
	}
	for _, o := range r.CancelOrders {
		if o.Whole() || slices.Contains(o.UIDs, uid) {
			a.CancelOrders = append(a.CancelOrders, o)
		}
	}
	return a, nil
}
