package jobstream

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/shared/job"
)

// ConcludedAt is when a revision of a round's outcome was written; ErrNotFound
// if it was not.
func (o Outcomes) ConcludedAt(ctx context.Context, round string, revision int) (time.Time, error) {
	entry, err := o.get(ctx, o.rounds(), job.OutcomeKey(round, revision))
	if err != nil {
		return time.Time{}, err
	}
	return entry.Created(), nil
}

// Concluded lists the rounds that have an outcome, in the order of their
// names.
func (ro Rounds) Concluded(ctx context.Context) ([]string, error) {
	keys, err := ro.keys(ctx, ro.rounds(), "*.outcome.*")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, key := range keys {
		name, revision, _ := strings.Cut(key, ".outcome.")
		if n, err := strconv.Atoi(revision); err == nil && n > 0 && job.OutcomeKey(name, n) == key {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// StoredOutcome is one revision of a round's outcome, unpacked while it is
// read: what it takes of memory is what is stored, not what that unpacks to. It is
// verified before anything of it is read.
type StoredOutcome struct {
	io.ReadCloser

	At     time.Time // when it was stored, by the server's clock
	SHA256 string    // of what is read
}

// Open opens one revision of a round's outcome; ErrNotFound if none. Who
// has it closes it.
func (o Outcomes) Open(ctx context.Context, round string, revision int) (StoredOutcome, error) {
	key := job.OutcomeKey(round, revision)
	entry, err := o.get(ctx, o.rounds(), key)
	if err != nil {
		return StoredOutcome{}, err
	}
	packed, err := o.whole(ctx, o.rounds(), key, entry.Value())
	if err != nil {
		return StoredOutcome{}, err
	}
	reader, stored, err := o.streamed(key, packed)
	if err != nil {
		return StoredOutcome{}, err
	}
	return StoredOutcome{ReadCloser: reader, At: entry.Created().UTC(), SHA256: stored.SHA256}, nil
}
