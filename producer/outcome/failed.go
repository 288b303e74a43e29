package outcome

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
)

// Failed is a miner that can be replayed: dead, degraded, or of unknown identity.
type Failed struct {
	UID int `json:"uid"`
	// Class is the dead letter's, ClassDegraded or ClassIdentity.
	Class    job.Class `json:"class"`
	Error    string    `json:"error"`
	Attempts int       `json:"attempts"`
	Worker   string    `json:"worker"`
	Trace    string    `json:"trace,omitempty"`
	// Replay is how often the miner was replayed already: the number of the
	// last one.
	Replay int `json:"replay,omitempty"`
}

// Two classes stand beside those of dead letters. ClassDegraded: the job is done,
// and its evaluation lacks something. ClassIdentity: GitHub did not name
// the account of the miner's token, and the account that stands in may be another's.
const (
	ClassDegraded job.Class = "degraded"
	ClassIdentity job.Class = "identity"
)

// ClassDone is the class of a miner whose job is done and lacks nothing. Only a rescore
// runs it again.
const ClassDone job.Class = "done"

// Classes are those that a replay can choose by.
func Classes() []job.Class { return append(job.Classes(), ClassIdentity) }

// Failures are the failed miners of a round as it is now, each list by uid.
type Failures struct {
	// Ended are the dead and the degraded ones, and those whose identity is
	// unknown; who is both has the class of its job.
	Ended []Failed
	// Sound are done and lack nothing, whether or not their identity is known.
	Sound []Failed
	// Unknown are the entries of all whose identity is.
	Unknown []input.Miner
	// Replaying are being run again just now, or were when a replay was broken
	// off.
	Replaying []int
	// Outstanding counts all jobs that have not ended.
	Outstanding int
	// Lost counts those of Ended whose record is gone or cannot be read.
	Lost int
}

// ReadFailures reads the failed miners of a round, as it is planned by now. Of one that
// is concluded every job had a record: where it is gone, nothing is waited for, and only
// a replay makes it again.
func ReadFailures(ctx context.Context, bus *jobstream.Bus, m job.Manifest, concluded bool) (Failures, error) {
	records, err := ReadRecords(ctx, bus, m)
	if err != nil {
		return Failures{}, fmt.Errorf("round %s: %w", m.Round, err)
	}
	return FailuresOf(ctx, bus, m, records, concluded)
}

// FailuresOf returns the failed miners of records that were read before. It reads their dead
// letters, and what the degraded ones lack.
func FailuresOf(ctx context.Context, bus *jobstream.Bus, m job.Manifest, stored Records, concluded bool) (Failures, error) {
	list, damage := stored.List, stored.Damage
	letters, err := bus.Letters.List(ctx, m.Round)
	if err != nil {
		return Failures{}, fmt.Errorf("reading the dead letters of round %s: %w", m.Round, err)
	}
	records := job.RecordsByUID(list)
	failures := Failures{Ended: []Failed{}, Outstanding: len(m.Jobs()) - len(list) - len(damage)}
	for uid, d := range damage {
		failures.Ended = append(failures.Ended, Failed{UID: uid, Class: job.Damaged, Error: "its record cannot be read: " + d.Error})
	}
	if concluded {
		failures.Ended, failures.Outstanding = append(failures.Ended, gone(m, records, damage)...), 0
	}
	failures.Lost = len(failures.Ended)
	for _, record := range list {
		switch {
		case !record.Phase.Ended():
			failures.Outstanding++
			if record.Replay > 0 {
				failures.Replaying = append(failures.Replaying, record.UID)
			}
		case record.Phase == job.Done && record.Degraded:
			lacks, err := lacking(ctx, bus, record)
			if err != nil {
				return Failures{}, err
			}
			failures.Ended = append(failures.Ended, lacks)
		case record.Phase == job.Done:
			failures.Sound = append(failures.Sound, sound(record))
		}
	}
	for _, letter := range DeadLetters(records, letters) {
		failures.Ended = append(failures.Ended, Failed{
			UID:      letter.UID,
			Class:    letter.Class,
			Error:    letter.Error,
			Attempts: letter.Attempts,
			Worker:   letter.Worker,
			Trace:    letter.Trace,
			Replay:   letter.Replay,
		})
	}
	addUnknown(&failures, m, records)
	slices.SortFunc(failures.Ended, func(a, b Failed) int { return cmp.Compare(a.UID, b.UID) })
	slices.Sort(failures.Replaying)
	return failures, nil
}

// gone are the miners of a concluded round whose record is not there.
func gone(m job.Manifest, records map[int]job.Record, damage map[int]job.Damage) (list []Failed) {
	for _, j := range m.Jobs() {
		_, there := records[j.UID]
		if _, damaged := damage[j.UID]; !there && !damaged {
			list = append(list, Failed{UID: j.UID, Class: job.Damaged, Error: "its record is gone, so the result of its job is unknown"})
		}
	}
	return list
}

// addUnknown adds the miners whose identity is unknown.
func addUnknown(f *Failures, m job.Manifest, records map[int]job.Record) {
	for _, miner := range m.Miners {
		if !miner.IdentityUnknown() {
			continue
		}
		f.Unknown = append(f.Unknown, miner)
		record, planned := records[miner.UID]
		if planned && !record.Phase.Ended() || slices.ContainsFunc(f.Ended, func(one Failed) bool { return one.UID == miner.UID }) {
			continue
		}
		f.Ended = append(f.Ended, Failed{
			UID:    miner.UID,
			Class:  ClassIdentity,
			Error:  unknownIdentity(&miner, m.AsOf).String(),
			Trace:  record.Trace,
			Replay: record.Replay,
		})
	}
}

// sound is a miner whose job is done and lacks nothing.
func sound(r job.Record) Failed {
	f := Failed{
		UID:      r.UID,
		Class:    ClassDone,
		Error:    "its job is done, and lacks nothing",
		Attempts: r.Failures + 1,
		Trace:    r.Trace,
		Replay:   r.Replay,
	}
	if r.Claim != nil {
		f.Worker = r.Claim.Worker
	}
	return f
}

// lacking says what a degraded evaluation lacks.
func lacking(ctx context.Context, bus *jobstream.Bus, r job.Record) (Failed, error) {
	f := Failed{
		UID:      r.UID,
		Class:    ClassDegraded,
		Attempts: r.Failures + 1,
		Trace:    r.Trace,
		Replay:   r.Replay,
	}
	evaluation, err := bus.Evaluations.Load(ctx, r.Evaluation)
	switch {
	case errors.Is(err, jobstream.ErrNotFound):
		f.Error = "its evaluation is no longer kept"
		return f, nil
	case jobstream.Damaged(err):
		f.Error = "its evaluation cannot be read: " + err.Error()
		return f, nil
	case err != nil:
		return f, fmt.Errorf("reading the evaluation of miner %d: %w", r.UID, err)
	}
	f.Worker = evaluation.Worker
	var lacks []string
	for _, missing := range evaluation.Missing {
		lacks = append(lacks, missing.What+": "+missing.Error)
	}
	f.Error = "lacks " + strings.Join(lacks, "; ")
	return f, nil
}

// Selection says which of the failed miners are replayed. Empty: all of them.
type Selection struct {
	// UIDs restricts it to these, all of which must have failed.
	UIDs []int
	// Class chooses the dead letters of a class, or the miners whose identity is
	// unknown; Degraded chooses the degraded ones; both choose both.
	Class    job.Class
	Degraded bool
	// Rescore chooses UIDs, whatever their jobs came to; without UIDs, every miner that has
	// a job.
	Rescore bool
	// Like chooses one group of failures by its key (Groups); "" for any.
	Like string
	// CurrentRules lets a round that was planned under another version of the rules run
	// again under this code's.
	CurrentRules bool
}

// ErrSelection says that a selection, of a replay or of a rescore, names what there is not.
var ErrSelection = errors.New("nothing to run again as asked")

// Select chooses among the failed miners; already are those of the asked that
// are being replayed. What is asked for and is not there is an error that lists
// what is.
func (s Selection) Select(f Failures) (chosen []Failed, already []int, err error) {
	if err := s.check(f); err != nil {
		return nil, nil, err
	}
	group := s.Of(f)
	if s.Like != "" {
		if group, _, err = f.Like(s.Like); err != nil {
			return nil, nil, err
		}
	}
	for _, one := range group {
		wanted := s.Class == "" && !s.Degraded || s.Class != "" && one.Class == s.Class || s.Degraded && one.Class == ClassDegraded
		if wanted && s.names(one.UID) {
			chosen = append(chosen, one)
		}
	}
	for _, uid := range f.Replaying {
		if s.names(uid) && s.Like == "" { // why it failed before is not known any more
			already = append(already, uid)
		}
	}
	if len(chosen) == 0 && len(already) == 0 && !s.all() {
		return nil, nil, fmt.Errorf("%w: no failed miner matches all of these; %s", ErrSelection, f)
	}
	return chosen, already, nil
}

// Of are the miners that can be selected, by uid.
func (s Selection) Of(f Failures) []Failed {
	if !s.Rescore {
		return f.Ended
	}
	all := slices.Concat(f.Ended, f.Sound)
	all = slices.DeleteFunc(all, func(one Failed) bool { return one.Class == ClassIdentity }) // it is among the sound, if it has a job
	slices.SortFunc(all, func(a, b Failed) int { return cmp.Compare(a.UID, b.UID) })
	return all
}

func (s Selection) names(uid int) bool { return len(s.UIDs) == 0 || slices.Contains(s.UIDs, uid) }

// all says whether nothing in particular is asked for.
func (s Selection) all() bool {
	return len(s.UIDs) == 0 && s.Class == "" && !s.Degraded && s.Like == ""
}

func (s Selection) check(f Failures) error {
	has := func(class job.Class) bool {
		return slices.ContainsFunc(f.Ended, func(one Failed) bool { return one.Class == class }) || len(f.Replaying) > 0
	}
	classes := Classes()
	switch {
	case s.Rescore:
		return s.checkRescore(f)
	case s.Class != "" && !slices.Contains(classes, s.Class):
		return fmt.Errorf("%w: class %q, want one of %v", ErrSelection, s.Class, classes)
	case s.Class == ClassIdentity && !has(s.Class):
		return fmt.Errorf("%w: every miner's identity is known; %s", ErrSelection, f)
	case s.Class != "" && !has(s.Class):
		return fmt.Errorf("%w: no dead letter of class %s; %s", ErrSelection, s.Class, f)
	case s.Degraded && !has(ClassDegraded):
		return fmt.Errorf("%w: no miner is degraded; %s", ErrSelection, f)
	}
	for _, uid := range s.UIDs {
		if !slices.ContainsFunc(f.Ended, func(one Failed) bool { return one.UID == uid }) && !slices.Contains(f.Replaying, uid) {
			return fmt.Errorf("%w: miner %d lacks nothing; %s", ErrSelection, uid, f)
		}
	}
	return nil
}

// checkRescore wants miners that have a job which has ended, or is being replayed.
func (s Selection) checkRescore(f Failures) error {
	ended := Failures{Ended: s.Of(f)}
	for _, uid := range s.UIDs {
		if !slices.ContainsFunc(ended.Ended, func(one Failed) bool { return one.UID == uid }) && !slices.Contains(f.Replaying, uid) {
			return fmt.Errorf("%w: miner %d has no job in the round; %s", ErrSelection, uid, ended)
		}
	}
	return nil
}

// maxListed bounds what an error lists.
const maxListed = 50

// String lists the ended ones for an error.
func (f Failures) String() string {
	names := make([]string, len(f.Ended))
	for i, one := range f.Ended {
		names[i] = fmt.Sprintf("%d (%s)", one.UID, one.Class)
	}
	return thereAre(names, maxListed)
}

// thereAre lists the first of the failures, or groups of them, that a round has.
func thereAre(names []string, limit int) string {
	if len(names) == 0 {
		return "no miner of the round lacks anything"
	}
	return "there " + plural.Are(len(names)) + " " + plural.Some(names, limit)
}
