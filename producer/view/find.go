package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// Latest is what users write in place of a round's name. It means the last round planned
// where the round may still run (LastPlanned), the last one concluded elsewhere
// (LastConcluded), and for the API the last concluded one of the schedule (LastDue).
const Latest = "latest"

// What may not exist.
var (
	ErrNoRound      = errors.New("there is no such round")
	ErrNotConcluded = errors.New("not concluded yet")
	ErrNoRevision   = errors.New("there is no such revision")
	ErrNoMiner      = errors.New("there is no such miner in the round")
	ErrNoPull       = errors.New("there is no such pull request in the round")
)

// NotThere reports whether an error says that what was asked for does not exist.
func NotThere(err error) bool {
	return slices.ContainsFunc([]error{ErrNoRound, ErrNotConcluded, ErrNoRevision, ErrNoMiner, ErrNoPull},
		func(kind error) bool { return errors.Is(err, kind) })
}

// OutcomeRef names a revision of a round's outcome.
type OutcomeRef struct {
	Round    string
	Revision int
}

// Locate finds a revision of a round's outcome without reading it; 0 is the last one.
func Locate(ctx context.Context, bus *jobstream.Bus, name string, revision int) (OutcomeRef, error) {
	if name == Latest {
		last, err := LastConcluded(ctx, bus)
		if err != nil {
			return OutcomeRef{}, err
		}
		if last == "" {
			return OutcomeRef{}, noneConcluded(ctx, bus)
		}
		name = last
	}
	revisions, err := bus.Outcomes.Revisions(ctx, name)
	switch {
	case err != nil:
		return OutcomeRef{}, fmt.Errorf("listing the outcomes of round %s: %w", name, err)
	case len(revisions) == 0:
		return OutcomeRef{}, without(ctx, bus, name)
	case revision == 0:
		revision = revisions[len(revisions)-1]
	case !slices.Contains(revisions, revision):
		listed := strings.ReplaceAll(strings.Trim(fmt.Sprint(revisions), "[]"), " ", ", ")
		return OutcomeRef{}, fmt.Errorf("%w: round %s has no revision %d; there is: %s", ErrNoRevision, name, revision, listed)
	}
	return OutcomeRef{name, revision}, nil
}

// LastPlanned names the round that was planned last, which may still run.
func LastPlanned(ctx context.Context, bus *jobstream.Bus) (string, error) {
	rounds, err := bus.Rounds.List(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("listing the rounds: %w", err)
	case len(rounds) == 0:
		return "", &NotConcludedError{Latest: true}
	}
	return rounds[len(rounds)-1], nil
}

// LastConcluded names the round that was concluded last, "" where none is.
func LastConcluded(ctx context.Context, bus *jobstream.Bus) (string, error) {
	concluded, err := bus.Rounds.Concluded(ctx)
	if err != nil {
		return "", fmt.Errorf("looking for the latest round: %w", err)
	}
	if len(concluded) == 0 {
		return "", nil
	}
	return concluded[len(concluded)-1], nil
}

// LastDue names the newest concluded round of the schedule. A round that was run by hand may
// have any miners, so it is never taken for one. An outcome that cannot be read is passed to
// damaged and skipped: an older reward vector is better than none.
func LastDue(ctx context.Context, bus *jobstream.Bus, damaged func(round string, err error)) (string, error) {
	concluded, err := bus.Rounds.Concluded(ctx)
	if err != nil {
		return "", fmt.Errorf("looking for the latest round of the schedule: %w", err)
	}
	for _, name := range slices.Backward(concluded) {
		head, err := firstHead(ctx, bus, name)
		switch {
		case jobstream.Damaged(err):
			damaged(name, err)
		case errors.Is(err, jobstream.ErrNotFound): // removed since it was listed
		case err != nil:
			return "", fmt.Errorf("looking for the latest round of the schedule: round %s: %w", name, err)
		case !head.Due.IsZero():
			return name, nil
		}
	}
	return "", fmt.Errorf("no round of the schedule has an outcome; rounds that were run by hand are served only by name (%d of them): %w",
		len(concluded), ErrNotConcluded)
}

// firstHead reads the head of the first revision that exists. Every revision has the same
// instant of the schedule, and revision 1 is found without a list.
func firstHead(ctx context.Context, bus *jobstream.Bus, name string) (outcome.Result, error) {
	head, _, err := readHead(ctx, bus, OutcomeRef{name, 1})
	if !errors.Is(err, jobstream.ErrNotFound) {
		return head, err
	}
	revisions, listErr := bus.Outcomes.Revisions(ctx, name)
	if listErr != nil || len(revisions) == 0 {
		return head, errors.Join(err, listErr)
	}
	head, _, err = readHead(ctx, bus, OutcomeRef{name, revisions[0]})
	return head, err
}

// without says why a round has no outcome: there is no such round, it is lost, or it
// is not concluded.
func without(ctx context.Context, bus *jobstream.Bus, name string) error {
	held, err := bus.Inventory(ctx, name)
	if errors.Is(err, jobstream.ErrNotFound) {
		rounds, err := bus.Rounds.List(ctx)
		if err != nil {
			return fmt.Errorf("listing the rounds: %w", err)
		}
		return fmt.Errorf("%w: %q; %s", ErrNoRound, name, Listed(rounds))
	}
	if err != nil {
		return err
	}
	if held.Lost != "" {
		return fmt.Errorf("%w as %s, but parts of one: %s (%s)", ErrNoRound, name, held.Lost, audit.Of(held))
	}
	return unfinished(ctx, bus, name)
}

// NotConcludedError is a round without an outcome, with its state.
type NotConcludedError struct {
	Summary

	// Producer names the producer that runs it; "" if none does.
	Producer string
	// Latest says that the last concluded round was asked for, and that there is none. The
	// Summary is then of the round that was planned last, or empty if there is no round.
	Latest bool
}

func (e *NotConcludedError) Error() string {
	before := ""
	if e.Latest {
		before = "no round is concluded yet; the last one is "
	}
	open := fmt.Sprintf("%d of %s outstanding", e.Outstanding, plural.Of(e.Planned, "job"))
	switch {
	case e.Round == "":
		return "there is no round yet"
	case e.State == Damaged:
		return fmt.Sprintf("%sround %s, which is not concluded yet and cannot be read", before, e.Round)
	case e.Producer != "" && e.Latest:
		return fmt.Sprintf("%sround %s, which producer %s runs (%s)", before, e.Round, e.Producer, open)
	case e.Producer != "":
		return fmt.Sprintf("round %s is not concluded yet: producer %s runs it (%s)", e.Round, e.Producer, open)
	case e.Latest:
		return fmt.Sprintf("%sround %s, which no producer runs (%s)", before, e.Round, open)
	}
	return fmt.Sprintf("round %s is not concluded yet, and no producer runs it (%s)", e.Round, open)
}

// Is says that it is ErrNotConcluded.
func (e *NotConcludedError) Is(target error) bool { return target == ErrNotConcluded }

// unfinished is a round without an outcome, as it stands now.
func unfinished(ctx context.Context, bus *jobstream.Bus, name string) error {
	list, err := (&Standings{}).summaries(ctx, bus, []string{name}, time.Now())
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("%w: %q", ErrNoRound, name) // it was removed just now
	}
	e := &NotConcludedError{Summary: list[0]}
	if e.State == Running {
		if e.Producer, err = producerOf(ctx, bus, name); err != nil {
			return err
		}
	}
	return e
}

// noneConcluded says how the round stands that was planned last, where none is concluded.
func noneConcluded(ctx context.Context, bus *jobstream.Bus) error {
	names, err := rounds(ctx, bus)
	if err != nil {
		return fmt.Errorf("looking for the latest round: %w", err)
	}
	if len(names) == 0 {
		return &NotConcludedError{Latest: true}
	}
	err = unfinished(ctx, bus, names[len(names)-1])
	if e, is := errors.AsType[*NotConcludedError](err); is {
		e.Latest = true
	}
	return err
}

// Read reads a revision of an outcome.
func Read(ctx context.Context, bus *jobstream.Bus, at OutcomeRef) (outcome.Result, error) {
	result, err := outcome.Read(ctx, bus, at.Round, at.Revision)
	if err != nil {
		return outcome.Result{}, fmt.Errorf("revision %d of round %s: %w", at.Revision, at.Round, err)
	}
	return result, nil
}

// Find reads a revision of a round's outcome, 0 being the last one.
func Find(ctx context.Context, bus *jobstream.Bus, name string, revision int) (outcome.Result, error) {
	at, err := Locate(ctx, bus, name, revision)
	if err != nil {
		return outcome.Result{}, err
	}
	return Read(ctx, bus, at)
}

// MaxListed is how many names an error lists. The last ones are the most likely.
const MaxListed = 20

// Listed says in an error which rounds there are.
func Listed(rounds []string) string {
	if len(rounds) == 0 {
		return "there is none yet"
	}
	more := max(0, len(rounds)-MaxListed)
	text := "there " + plural.Are(len(rounds)) + " " + strings.Join(rounds[more:], ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d earlier ones", more)
	}
	return text
}

// Miners names miners in a sentence.
func Miners(uids []int) string {
	names := make([]string, len(uids))
	for i, uid := range uids {
		names[i] = strconv.Itoa(uid)
	}
	noun := "miners "
	if len(uids) == 1 {
		noun = "miner "
	}
	return noun + strings.Join(names, ", ")
}
