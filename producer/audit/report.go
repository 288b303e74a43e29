package audit

import (
	"fmt"
)

// Report is what comes of comparing all that is held of a round with itself.
type Report struct {
	Planned     int `json:"planned"`
	Done        int `json:"done"`
	Failed      int `json:"failed"`
	Outstanding int `json:"outstanding"`
	// Discrepancies are by kind and uid. In the middle of a round some are
	// passing: a job is published in two steps, and ends in three.
	Discrepancies []Discrepancy `json:"discrepancies"`
}

// Discrepancy is one thing that does not fit.
type Discrepancy struct {
	Kind   Kind   `json:"kind"`
	UID    int    `json:"uid"` // -1 for the round as a whole
	Detail string `json:"detail,omitempty"`
	// Harmless says that nothing is lost or counted twice by it.
	Harmless bool `json:"harmless,omitempty"`
}

// Kind names a discrepancy.
type Kind string

// The kinds that the reconciler mends.
const (
	NothingHeld      Kind = "job without record or message"
	RecordAlone      Kind = "record without message"
	MessageAlone     Kind = "message without record"
	DeliveriesUsedUp Kind = "message that nobody is given"
	RecordDamaged    Kind = "record that cannot be read"
)

// The kinds that no crash makes: a disk or somebody has lost, changed or written
// something. While a producer works on the round it mends them, but for what is of
// no job of the round.
const (
	ManifestLost      Kind = "manifest that is gone or cannot be read"
	UnplannedRecord   Kind = "record of a miner that has no job"
	UnplannedMessage  Kind = "message of a miner that has no job"
	EvaluationMissing Kind = "record whose evaluation is gone"
	EvaluationChanged Kind = "evaluation that is not the one of the outcome"
	LetterMissing     Kind = "failed record without dead letter"
	OutcomeTooEarly   Kind = "outcome of a round with outstanding jobs"
	OutcomeDisagrees  Kind = "outcome that disagrees with the records"
	OutcomeUnreadable Kind = "outcome that cannot be read"
	PlanUnreadable    Kind = "plan of a replay that cannot be read"
	RevisionMissing   Kind = "revision without the one before it"
)

// The kinds that are harmless: traces of a crash or of a lost lease that cost
// nothing.
const (
	LeftMessage     Kind = "message of an ended job"
	QueuedTwice     Kind = "job queued more than once"
	LetterAlone     Kind = "dead letter of a job that has not failed"
	Orphan          Kind = "evaluation that no record names"
	ReplayBrokenOff Kind = "replay that was begun and not concluded"
	LetterDamaged   Kind = "dead letter that cannot be read"
	StrayKey        Kind = "key that is nobody's"
)

// Holds says whether every job is accounted for exactly once.
func (a Report) Holds() bool {
	return a.Planned == a.Done+a.Failed+a.Outstanding && a.Harmful() == 0
}

// Harmful counts what does not fit and is not harmless.
func (a Report) Harmful() (n int) {
	for _, d := range a.Discrepancies {
		if !d.Harmless {
			n++
		}
	}
	return n
}

// String is the audit in one line, without what does not fit.
func (a Report) String() string {
	text := fmt.Sprintf("%d planned = %d done + %d failed + %d outstanding", a.Planned, a.Done, a.Failed, a.Outstanding)
	if !a.Holds() {
		text += ", which does NOT hold"
	}
	return text
}

// String names the thing.
func (d Discrepancy) String() string {
	text := string(d.Kind)
	if d.UID >= 0 {
		text = fmt.Sprintf("miner %d: %s", d.UID, text)
	}
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	return text
}
