package view

import (
	"context"
	"errors"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Schedule is how the schedule of `producer serve` stands, and what operators have ordered.
type Schedule struct {
	// Producer is the active one, which begins the rounds; absent without any.
	Producer string `json:"producer,omitempty"`
	// NextTurn is when the next turn is due, as the active producer has said; absent while
	// a round of the schedule runs, and while nobody knows.
	NextTurn *time.Time `json:"next_turn,omitempty"`
	// Running is the round of the last turn while it has not ended.
	Running string `json:"running,omitempty"`
	// Paused is the pause of the schedule, PausedRound that of a round, Ordered the order
	// to begin a turn at once that was not followed yet; each is absent without any.
	Paused      *job.Stop      `json:"paused,omitempty"`
	PausedRound *job.RoundStop `json:"paused_round,omitempty"`
	Ordered     *job.Order     `json:"ordered,omitempty"`
	// PutOff is what delays the next turn, by the last sign of life of the active producer, which
	// shows one every few seconds; absent while nothing delays it.
	PutOff *job.PutOff `json:"put_off,omitempty"`
	// Producers are the producer processes of the last day that serve, or stand by for a
	// round.
	Producers []Producer `json:"producers"`
}

// The orders of Steered.
const (
	SteerPause       = "pause"
	SteerResume      = "resume"
	SteerNow         = "now"
	SteerPauseRound  = "pause-round"
	SteerResumeRound = "resume-round"
)

// Steered is what an order has done.
type Steered struct {
	// Order is one of those above.
	Order string `json:"order"`
	// Changed says that the order has changed something: it was not given before.
	Changed bool `json:"changed"`
	// Round is the round that was paused or resumed; absent for orders to the schedule.
	Round string `json:"round,omitempty"`
	// OverdueAt is when that round is concluded with what it has; absent without a
	// deadline. A pause does not move it.
	OverdueAt *time.Time `json:"overdue_at,omitempty"`
	// Schedule is how the schedule stands afterwards.
	Schedule Schedule `json:"schedule"`
}

// ScheduleOf reads how the schedule stands. now decides whether its producer is alive.
func ScheduleOf(ctx context.Context, bus *jobstream.Bus, now time.Time) (s Schedule, err error) {
	steer, _, err := bus.Steering.Load(ctx)
	if err != nil && !jobstream.Damaged(err) {
		return s, err
	}
	s.Paused, s.PausedRound = steer.Schedule, steer.Round
	turn, _, err := round.LastTurn(ctx, bus)
	if err != nil {
		return s, err
	}
	open, err := unended(ctx, bus, turn.Round)
	if err != nil {
		return s, err
	}
	if open {
		s.Running = turn.Round
	}
	if steer.Orders(turn.Round) {
		s.Ordered = steer.Now
	}
	if s.Producer, err = leader(ctx, bus, job.Schedule, now); err != nil {
		return s, err
	}
	if err := s.addProducers(ctx, bus, now); err != nil || s.Producer == "" {
		return s, err
	}
	next, err := bus.Schedule.Next(ctx)
	if err != nil || open || !next.After(turn.Due) { // it was said before that turn
		return s, err
	}
	s.NextTurn = &next
	return s, nil
}

// unended says whether a round was begun and has no outcome.
func unended(ctx context.Context, bus *jobstream.Bus, name string) (bool, error) {
	if name == "" {
		return false, nil
	}
	revisions, err := bus.Outcomes.Revisions(ctx, name)
	if err != nil || len(revisions) > 0 {
		return false, err
	}
	_, err = bus.Rounds.Manifest(ctx, name)
	if errors.Is(err, jobstream.ErrNotFound) || jobstream.Damaged(err) { // not begun, or lost
		return false, nil
	}
	return err == nil, err
}

// recently is how many rounds are searched for those that run.
const recently = 20

// UnderWay lists the rounds of which jobs are handed out, or will be when their producer is
// there again: those without an outcome, and those that are replayed. The last one is the
// first.
func UnderWay(ctx context.Context, bus *jobstream.Bus, now time.Time) (all []Summary, err error) {
	list, err := ListOf(ctx, bus, "", recently, now)
	for i := range list.Rounds {
		switch s := list.Rounds[i]; s.State {
		case Running, Stopped, Replaying:
			all = append(all, s)
		case Concluded, Damaged:
		}
	}
	return all, err
}
