package audit

import (
	"fmt"
	"maps"
	"slices"

	"mirrorfleet/shared/plural"
)

// Report is the result of an audit.
type Report struct {
	Planned     int `json:"planned"`
	Done        int `json:"done"`
	Failed      int `json:"failed"`
	Outstanding int `json:"outstanding"`
	// Discrepancies are ordered by kind and uid. In the middle of a round some are
	// temporary (see the package's documentation).
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

// Kind names a discrepancy. The texts are published: the JSON has them.
type Kind string

// The kinds that the reconciler repairs.
const (
	NothingHeld      Kind = "job without record or message"
	RecordAlone      Kind = "record without message"
	MessageAlone     Kind = "message without record"
	DeliveriesUsedUp Kind = "message that nobody is given"
	RecordDamaged    Kind = "record that cannot be read"
)

// The kinds that no crash causes: a disk has lost something, or somebody has written or
// changed it. A producer that works on the round repairs them, except what belongs to no job
// of the round.
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

// The harmless kinds: a crash or a lost lease leaves them, and nothing is lost by them.
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

// Harmful counts the discrepancies that are not harmless.
func (a Report) Harmful() (n int) {
	for _, d := range a.Discrepancies {
		if !d.Harmless {
			n++
		}
	}
	return n
}

// maxNamed is how many discrepancies Lines names one by one. A lost bucket can have one for
// each miner, and the first few show which bucket it is.
const maxNamed = 20

// Lines name the harmful discrepancies, up to a number of them, and count the harmless ones by
// kind. A crash or a lost lease leaves harmless ones.
func (a Report) Lines() (lines []string) {
	wrong, harmless := 0, map[Kind]int{}
	for _, d := range a.Discrepancies {
		if d.Harmless {
			harmless[d.Kind]++
			continue
		}
		if wrong++; wrong <= maxNamed {
			lines = append(lines, d.String())
		}
	}
	if more := wrong - maxNamed; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	for _, kind := range slices.Sorted(maps.Keys(harmless)) {
		lines = append(lines, fmt.Sprintf("harmless: %s, %s", kind, plural.Of(harmless[kind], "time")))
	}
	return lines
}

// String is the audit's sum in one line, without the discrepancies.
func (a Report) String() string {
	text := fmt.Sprintf("%d planned = %d done + %d failed + %d outstanding", a.Planned, a.Done, a.Failed, a.Outstanding)
	if !a.Holds() {
		text += ", which does NOT hold"
	}
	return text
}

// String names the discrepancy, with its miner and its detail.
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
