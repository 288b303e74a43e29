package view

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/jobstream"
)

// Compared names two revisions of a round's outcome that are to be compared.
type Compared struct {
	From, To OutcomeRef
	// Revisions are all of the round.
	Revisions []int
}

// ErrFirst says that a revision is the first of its round. It comes as a FirstError, which is
// an ErrNoRevision too.
var ErrFirst = errors.New("it is the first revision")

// FirstError names the revision that has none before it.
type FirstError struct{ At OutcomeRef }

func (e *FirstError) Error() string {
	return fmt.Sprintf("revision %d of round %s is the first, so there is nothing to compare it with; a replay makes another",
		e.At.Revision, e.At.Round)
}

// Is says that it is ErrFirst and ErrNoRevision.
func (e *FirstError) Is(target error) bool { return target == ErrFirst || target == ErrNoRevision }

// ToCompare finds two revisions of a round's outcome. With to 0, To is the last one; with from
// 0, From is the one before To, and the error is ErrFirst if there is none.
func ToCompare(ctx context.Context, bus *jobstream.Bus, name string, from, to int) (c Compared, err error) {
	if c.To, err = Locate(ctx, bus, name, to); err != nil {
		return c, err
	}
	if c.Revisions, err = bus.Outcomes.Revisions(ctx, c.To.Round); err != nil {
		return c, fmt.Errorf("listing the outcomes of round %s: %w", c.To.Round, err)
	}
	if from == 0 {
		at := slices.Index(c.Revisions, c.To.Revision)
		if at < 1 {
			return c, &FirstError{c.To}
		}
		from = c.Revisions[at-1]
	}
	c.From, err = Locate(ctx, bus, c.To.Round, from)
	return c, err
}

// Compare reads both revisions by read, and compares them.
func (c Compared) Compare(
	ctx context.Context, read func(context.Context, OutcomeRef) (outcome.Result, error),
) (outcome.Comparison, error) {
	before, err := read(ctx, c.From)
	if err != nil {
		return outcome.Comparison{}, err
	}
	after, err := read(ctx, c.To)
	if err != nil {
		return outcome.Comparison{}, err
	}
	return outcome.Compare(before, after), nil
}
