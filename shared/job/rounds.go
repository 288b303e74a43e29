package job

import (
	"encoding/json"
	"slices"
	"time"

	"mirrorfleet/shared/scoring/input"
)

// Holder is the producer that runs a round at the moment. It writes itself again while it
// lives. A producer that reads the same value for the time For may take over.
type Holder struct {
	Version int `json:"version"`
	// Name is the producer's, unique to one hold of one process.
	Name string `json:"name"`
	// Beat counts the heartbeats, so that each one changes the value.
	Beat int `json:"beat"`
	// For is how long a holder without heartbeats keeps the round.
	For time.Duration `json:"for"`
	// Released says that the holder has ended its work: nobody has to wait for it.
	Released bool      `json:"released,omitempty"`
	Since    time.Time `json:"since"`
}

// Replay is the plan of one replay of a round. It is written once, before any job is
// planned again: when the producer dies in the middle, another one resumes the replay with
// the same miners.
type Replay struct {
	Version int    `json:"version"`
	Round   string `json:"round"`
	// Number counts the round's replays from 1. It is the revision that the
	// replay starts from, and the replay number of its jobs.
	Number int   `json:"number"`
	UIDs   []int `json:"uids"`
	// Miners replace their entries in the manifest from this replay on: GitHub has named
	// the accounts of their tokens.
	Miners []input.Miner `json:"miners,omitempty"`
	By     string        `json:"by"`
	At     time.Time     `json:"at"`
	// Damage is why the stored plan cannot be read; "" if it can. Such a plan counts
	// as one without miners.
	Damage string `json:"-"`
	// SHA256 is the digest of the plan as it is stored; "" for one that was not read.
	SHA256 string `json:"-"`
}

// After is the manifest with the identities of miners that replays have found.
func (m Manifest) After(replays []Replay) Manifest {
	m.Miners = slices.Clone(m.Miners)
	for _, replay := range replays {
		for _, found := range replay.Miners {
			if at := slices.IndexFunc(m.Miners, func(miner input.Miner) bool { return miner.UID == found.UID }); at >= 0 {
				m.Miners[at] = found
			}
		}
	}
	return m
}

// Last is when rounds were last concluded, by any producer. Every process can read it
// without reading an outcome. When it differs from the outcomes, they are right.
type Last struct {
	Version   int       `json:"version"`
	Concluded time.Time `json:"concluded"`
	// Complete is when the last complete outcome was written; zero for never.
	Complete time.Time `json:"complete"`
}

// With is Last after another conclusion. Neither instant ever goes back.
func (l Last) With(at time.Time, complete bool) Last {
	if at.After(l.Concluded) {
		l.Concluded = at
	}
	if complete && at.After(l.Complete) {
		l.Complete = at
	}
	return l
}

// DeadKept is how long dead letters are kept.
const DeadKept = 30 * 24 * time.Hour

// Damage is a stored value that cannot be read.
type Damage struct {
	// Where is the bucket or the stream, Key the key or the subject.
	Where, Key string
	// UID is -1 for a value that belongs to no job.
	UID int
	// Revision is the one that a write which replaces the value must give.
	Revision uint64
	Error    string
}

// Inventory is what the streams and buckets hold of one round.
type Inventory struct {
	At time.Time // when it was read
	// Manifest is empty when Lost says why there is none.
	Manifest Manifest
	Lost     string
	// Records are those that can be read. Damage has the values that cannot: records,
	// unknown keys, the last outcome, dead letters.
	Records []Record
	Damage  []Damage
	// Messages counts the queued messages of each uid. Stuck are the uids of messages
	// that the server no longer delivers.
	Messages map[int]int
	Stuck    []int
	// Evaluations are the stored keys.
	Evaluations []string
	Letters     []DeadLetter
	// Outcomes are the revisions, Latest is the last one's value; nil if it is
	// damaged.
	Outcomes []int
	Latest   json.RawMessage
	// Digests are the digests of the evaluations that count, by key, as far as they can
	// be read; nil when they were not asked for.
	Digests map[string]string
	// Replays are the plans of its replays.
	Replays []Replay
}
