package job

import "time"

// Steer is what operators have ordered of the schedule and of the round that runs. It is
// one value, so that two operators see each other's orders.
type Steer struct {
	Version int `json:"version"`
	// Schedule is the pause of the schedule: no turn begins. Nil: it is not paused.
	Schedule *Stop `json:"schedule,omitempty"`
	// Round is the pause of a round: no job is handed out. Nil: none is paused. All rounds
	// share one queue, so the pause of one round holds back the jobs of every round.
	Round *RoundStop `json:"round,omitempty"`
	// Now is the order to begin a turn at once; nil for none. It stays here when it has
	// been followed: Orders says whether it still counts.
	Now *Order `json:"now,omitempty"`
}

// Stop is a pause by hand.
type Stop struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Text says by whom, since when and why, as far as it was said.
func (s Stop) Text() string {
	text := "by " + s.By + " since " + s.At.UTC().Format(time.RFC3339)
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text
}

// RoundStop is the pause of a round.
type RoundStop struct {
	Stop

	Round string `json:"round"`
}

// Order is the order to begin the turn that comes after a round.
type Order struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
	// After is the round of the last turn when the order was given; "" if there was none.
	// The order ends by itself when the schedule has begun another turn. So it is followed
	// once, wherever a producer dies.
	After string `json:"after,omitempty"`
}

// Orders says whether a turn is ordered while the last one is the turn of a round.
func (s Steer) Orders(last string) bool { return s.Now != nil && s.Now.After == last }

// PauseSchedule is s with the schedule paused; false if it is paused already. A turn that
// was ordered is not begun any more.
func (s Steer) PauseSchedule(stop Stop) (Steer, bool) {
	if s.Schedule != nil {
		return s, false
	}
	s.Schedule, s.Now = &stop, nil
	return s, true
}

// ResumeSchedule is s without the pause of the schedule; false if there is none.
func (s Steer) ResumeSchedule() (Steer, bool) {
	was := s.Schedule != nil
	s.Schedule = nil
	return s, was
}

// PauseRound is s with a round paused; false if that round is paused already. The pause of
// another round is replaced: the caller has seen that it has ended.
func (s Steer) PauseRound(stop RoundStop) (Steer, bool) {
	if s.Round != nil && s.Round.Round == stop.Round {
		return s, false
	}
	s.Round = &stop
	return s, true
}

// ResumeRound is s without the pause of a round; false if that round is not paused.
func (s Steer) ResumeRound(round string) (Steer, bool) {
	if s.Round == nil || s.Round.Round != round {
		return s, false
	}
	s.Round = nil
	return s, true
}

// OrderTurn is s with a turn ordered; false if the turn after that round is ordered already,
// or the schedule is paused.
func (s Steer) OrderTurn(order Order) (Steer, bool) {
	if s.Schedule != nil || s.Orders(order.After) {
		return s, false
	}
	s.Now = &order
	return s, true
}

// NextTurn is when the next turn of the schedule is due, as the producer that leads it has
// last said. It is only for display: the next active producer computes it anew.
type NextTurn struct {
	Version int       `json:"version"`
	Due     time.Time `json:"due"`
}
