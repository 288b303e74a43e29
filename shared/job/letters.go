package job

import (
	"encoding/json"
	"errors"
	"time"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// Manifest is what a round was planned with: everything that a worker, a
// resumed producer or a replay needs to do the same again.
type Manifest struct {
	Version   int           `json:"version"`
	Round     string        `json:"round"`
	AsOf      time.Time     `json:"as_of"`
	PlannedAt time.Time     `json:"planned_at"`
	Mirror    string        `json:"mirror"`
	Miners    []input.Miner `json:"miners"`
	// Registry and the weights are the files as they were read: each
	// user parses them strictly.
	Registry  json.RawMessage `json:"registry"`
	Languages json.RawMessage `json:"programming_languages"`
	Tokens    json.RawMessage `json:"token_weights"`
	// Unloadable are the languages that give no nodes, as in the validator.
	Unloadable []string `json:"unloadable_languages"`
	// Rules is the version of the rules that the round was planned under; 0 for a round
	// from before rules had a version (RulesVersion).
	Rules int    `json:"rules,omitempty"`
	Trace string `json:"trace,omitempty"`
	// Due is the instant of the schedule that the round was begun for; zero for
	// a round that somebody ran by hand.
	Due time.Time `json:"due,omitzero"`
	// OverdueAt is when the round is concluded with what there is; zero for
	// never.
	OverdueAt time.Time `json:"overdue_at,omitzero"`
	// Notes say what was not as it should be when the round was planned.
	Notes []string `json:"notes,omitempty"`
	// AllIssues is what the mirror's one answer on all issues says of the miners; nil
	// when it was not asked for.
	AllIssues *AllIssues `json:"all_issues,omitempty"`
	// SHA256 is the digest of the manifest as it is stored, SignedBy the key that has
	// signed it; "" for none, and for a manifest that was not read.
	SHA256   string `json:"-"`
	SignedBy string `json:"-"`
}

// RulesVersion is the version of the rules that the round was planned under.
func (m Manifest) RulesVersion() int { return max(m.Rules, scoring.FirstRules) }

// NoteUnidentified begins each note on miners whose identity GitHub left unknown.
const NoteUnidentified = "GitHub did not name the accounts of the tokens of "

// Evaluation is a worker's result for one miner, with its circumstances.
type Evaluation struct {
	Version    int       `json:"version"`
	Round      string    `json:"round"`
	UID        int       `json:"uid"`
	Worker     string    `json:"worker"`
	Claim      string    `json:"claim"`
	FinishedAt time.Time `json:"finished_at"`
	Requests   int       `json:"requests"`
	// Cached counts the pull requests whose files were not fetched, because
	// their figures were there.
	Cached     int                `json:"cached,omitempty"`
	Evaluation scoring.Evaluation `json:"evaluation"`
	// Unsettled names the pull requests ("owner/repo#7") that were scored from an answer
	// that the mirror may still change: the next round asks again.
	Unsettled []string `json:"unsettled,omitempty"`
	// Missing lists the data that could not be fetched. A list with entries means that
	// the evaluation is degraded.
	Missing []Missing `json:"missing,omitempty"`
	// Malformed lists the items that were skipped because they could not be
	// read.
	Malformed []Malformed `json:"malformed,omitempty"`
}

// Missing is one thing that an evaluation or a round lacks.
type Missing struct {
	What  string `json:"what"` // "files owner/repo#7", "issues", "open issues", "maintainers owner/repo"
	Cause Cause  `json:"cause"`
	Error string `json:"error"`
}

// Cause is why something is missing.
type Cause string

// The causes.
const (
	Unanswered   Cause = "unanswered"   // the mirror did not give it
	Inconsistent Cause = "inconsistent" // what the mirror gave cannot be all of it
	OutOfBudget  Cause = "budget"       // its scoring ran out of time or memory
)

// Malformed is one item of an answer that could not be read.
type Malformed struct {
	Item  string `json:"item"` // "owner/repo#7", as far as it can be named
	Error string `json:"error"`
}

// DeadLetter is the end of a job that failed.
type DeadLetter struct {
	Version  int       `json:"version"`
	Round    string    `json:"round"`
	UID      int       `json:"uid"`
	Replay   int       `json:"replay,omitempty"`
	Class    Class     `json:"class"`
	Error    string    `json:"error"`
	Attempts int       `json:"attempts"`
	Worker   string    `json:"worker"`
	Trace    string    `json:"trace,omitempty"`
	At       time.Time `json:"at"`
	// Payload is the message as it came when it could not be read as a job.
	Payload []byte `json:"payload,omitempty"`
}

// classed gives an error its class.
type classed struct {
	error

	class Class
}

func (c classed) Unwrap() error { return c.error }

// WithClass marks err; ClassOf finds the mark through any wrapping.
func WithClass(class Class, err error) error { return classed{err, class} }

// ClassOf is the class that err was marked with; Transient without a mark, because an
// unknown failure deserves another try.
func ClassOf(err error) Class {
	var c classed
	switch {
	case errors.As(err, &c):
		return c.class
	case errors.Is(err, ErrUnreadable):
		return Permanent
	}
	return Transient
}
