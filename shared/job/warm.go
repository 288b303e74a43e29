package job

import (
	"encoding/json"
	"fmt"
	"time"
)

// MaxWarmUp is how long a warm-up may take, and so how long its messages are kept.
const MaxWarmUp = 6 * time.Hour

// WarmUp is how a warm-up stands: the pull requests of the coming round's miners are
// listed, and the files that the score cache lacks are fetched and scored ahead of it.
type WarmUp struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	// Turn is the instant of the schedule that it is ahead of; zero for one by hand.
	Turn  time.Time `json:"turn,omitzero"`
	Begun time.Time `json:"begun"`
	// Until is when what is left of it is dropped.
	Until time.Time `json:"until"`
	// Share is the part of each egress's limit that it takes at most.
	Share float64 `json:"share"`
	// Miners counts those whose pull requests are to be listed. Left are those of them
	// that were not when it ended.
	Miners int `json:"miners"`
	Left   int `json:"left,omitempty"`
	// Ended is zero while it goes on; Why says why it has ended.
	Ended time.Time `json:"ended,omitzero"`
	Why   string    `json:"why,omitempty"`
}

// Live says whether workers are to work on it.
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
	switch {
	case w.Version < 1 || w.Version > Version:
		return Warm{}, fmt.Errorf("%w: version %d, this build reads 1 to %d", ErrUnreadable, w.Version, Version)
	case !ValidRound(w.WarmUp):
		return Warm{}, fmt.Errorf("%w: warm_up %q, want lower-case letters, digits and dashes", ErrUnreadable, w.WarmUp)
	case w.UID < 0 || w.GitHubID == "":
		return Warm{}, fmt.Errorf("%w: uid %d and github_id %q, want 0 or more, and one", ErrUnreadable, w.UID, w.GitHubID)
	}
	return w, nil
}
