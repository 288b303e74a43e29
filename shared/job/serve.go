package job

import "time"

// Turn is the last round that the schedule began. It is written before the round's
// manifest: when the producer dies between the two, the next one finds the turn without
// its round and plans the round.
type Turn struct {
	Version int    `json:"version"`
	Round   string `json:"round"`
	// Due is the instant of the schedule that the round was for.
	Due time.Time `json:"due"`
}

// Identity is the GitHub account of a miner's token when GitHub was last asked.
type Identity struct {
	Version  int       `json:"version"`
	UID      int       `json:"uid"`
	Hotkey   string    `json:"hotkey"`
	GitHubID string    `json:"github_id"`
	At       time.Time `json:"at"`
	// Salt is random, and Proof is a digest of the token keyed with it. A process that
	// has the token can check that it is the same one; to any other the proof says
	// nothing.
	Salt  []byte `json:"salt"`
	Proof []byte `json:"proof"`
}

// IdentityKept is how long an identity may stand in for GitHub's answer.
const IdentityKept = 24 * time.Hour
