package job

import (
	"encoding/json"
	"fmt"
	"time"
)

// MaxWarmUp is how long a warm-up may take, and so how long its messages are kept.
const MaxWarmUp = 6 * time.Hour

// WarmUp is the state of a warm-up. Ahead of a round, workers list the pull requests of its
// miners, and fetch and score the files that the score cache lacks.
type WarmUp struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	// Turn is the instant of the schedule for which it prepares; zero for one by hand.
	Turn  time.Time `json:"turn,omitzero"`
	Begun time.Time `json:"begun"`
	// Until is when the remaining miners are dropped.
	Until time.Time `json:"until"`
	// Share is the largest part of each egress's limit that it takes.
	Share float64 `json:"share"`
	// Miners counts the miners whose pull requests are to be listed, and Left those that
	// remained when it ended.
	Miners int `json:"miners"`
	Left   int `json:"left,omitempty"`
	// Ended is zero while it goes on; Why says why it has ended.
	Ended time.Time `json:"ended,omitzero"`
	Why   string    `json:"why,omitempty"`
}

// Why a warm-up ends: the values of WarmUp.Why.
const (
	WarmUpDone     = "done"
	WarmUpRound    = "a round began"
	WarmUpTurn     = "the turn came"
	WarmUpOver     = "its time was over"
	WarmUpPaused   = "the schedule was paused"
	WarmUpStopped  = "the producer stopped"
	WarmUpReplaced = "another warm-up began"
	WarmUpFailed   = "the streams failed"
)

// Live says whether workers work on it.
func (w WarmUp) Live(now time.Time) bool {
	return w.ID != "" && w.Ended.IsZero() && now.Before(w.Until)
}

// Warm asks for one miner of a warm-up. It carries the GitHub id, never an access token.
type Warm struct {
	Version  int    `json:"version"`
	WarmUp   string `json:"warm_up"`
	UID      int    `json:"uid"`
	GitHubID string `json:"github_id"`
}

// Encode returns the wire form.
func (w Warm) Encode() ([]byte, error) {
	w.Version = Version
	data, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encoding miner %d of warm-up %s: %w", w.UID, w.WarmUp, err)
	}
	return data, nil
}

// DecodeWarm reads a Warm's wire form; every error is ErrUnreadable.
func DecodeWarm(data []byte) (w Warm, err error) {
	if err := json.Unmarshal(data, &w); err != nil {
		return Warm{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	readable := Readable(w.Version)
	switch {
	case readable != nil:
		return Warm{}, fmt.Errorf("%w: %w", ErrUnreadable, readable)
	case !ValidRound(w.WarmUp):
		return Warm{}, fmt.Errorf("%w: warm_up %q, want lower-case letters, digits and dashes", ErrUnreadable, w.WarmUp)
	case w.UID < 0 || w.GitHubID == "":
		return Warm{}, fmt.Errorf("%w: uid %d and github_id %q, want 0 or more, and one", ErrUnreadable, w.UID, w.GitHubID)
	}
	return w, nil
}
