package job

import "time"

// Turn is the last round that the schedule began. It is written before the
// round's manifest: a producer that dies between the two is followed by one
// that finds the turn without its round, and plans it.
type Turn struct {
	Version int    `json:"version"`
	Round   string `json:"round"`
	// Due is the instant of the schedule that the round was for.
	Due time.Time `json:"due"`
}

// Identity is whose GitHub account a token was when GitHub was last asked.
type Identity struct {
	Version  int       `json:"version"`
	UID      int       `json:"uid"`
	Hotkey   string    `json:"hotkey"`
	GitHubID string    `json:"github_id"`
	At       time.Time `json:"at"`
	// Salt is random, and Proof is a digest keyed with it: whoever has the
	// token can tell that it is the one, and nobody else anything.
	Salt  []byte `json:"salt"`
	Proof []byte `json:"proof"`
}

// IdentityKept is how long an identity may stand in for GitHub's answer.
const IdentityKept = 24 * time.Hour
