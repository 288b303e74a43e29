package jobstream

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/scoring"
)

// CreateReplay stores the plan of a replay; ErrExists if its number is taken.
func (ro Rounds) CreateReplay(ctx context.Context, r job.Replay) error {
	return ro.replay(r.Round, r.Number).Create(ctx, r)
}

// Replay reads the plan of a round's nth replay; ErrNotFound if there is none. A damaged
// plan is no error: its Damage is set, and it has no miners. So neither the round nor a list
// of rounds fails because of it.
func (ro Rounds) Replay(ctx context.Context, round string, n int) (job.Replay, error) {
	r, stored, err := ro.replay(round, n).Load(ctx)
	if Damaged(err) {
		return job.Replay{Round: round, Number: n, Damage: err.Error()}, nil
	}
	r.SHA256 = stored.SHA256
	return r, err
}

// Replays reads the plans of a round's replays, in the order of their numbers.
func (ro Rounds) Replays(ctx context.Context, round string) ([]job.Replay, error) {
	numbers, err := ro.numbered(ctx, round+".replay.")
	if err != nil {
		return nil, err
	}
	replays := make([]job.Replay, len(numbers))
	for i, n := range numbers {
		replays[i], err = ro.Replay(ctx, round, n)
		if errors.Is(err, ErrNotFound) { // since it was listed
			replays[i] = job.Replay{Round: round, Number: n, Damage: err.Error()}
		} else if err != nil {
			return nil, err
		}
	}
	return replays, nil
}

// Cancel reads what is ordered to be cancelled of a round (n is 0) or of its nth replay; it
// has no orders if nothing is. A *ValueError if it cannot be read: AddCancel replaces it.
func (ro Rounds) Cancel(ctx context.Context, round string, n int) (job.Cancel, error) {
	c, _, err := ro.cancel(round, n).Find(ctx)
	return c, err
}

// AddCancel adds an order to those of a run, and returns all of them. Of two that are given
// at once none is lost, and the same one given twice is stored once. A value that cannot be
// read counts as empty.
func (ro Rounds) AddCancel(ctx context.Context, round string, n int, o job.CancelOrder) (job.Cancel, error) {
	all, _, err := ro.cancel(round, n).Change(ctx, func(now job.Cancel, _ kv.Stored, damaged bool) (job.Cancel, bool) {
		now.Round, now.Replay = round, n
		next, adds := now.With(o)
		return next, adds || damaged
	})
	return all, err
}

// Planned reads a round's manifest, updated with what its replays have found out about the
// miners; ErrNotFound if nobody has planned the round.
func (ro Rounds) Planned(ctx context.Context, round string) (job.Manifest, error) {
	m, err := ro.Manifest(ctx, round)
	if err != nil {
		return m, err
	}
	replays, err := ro.Replays(ctx, round)
	return m.After(replays), err
}

// Maintainers are the results of a round's look-ups of maintainers, by repository, and the
// number of requests that they took.
type Maintainers struct {
	Version  int                             `json:"version"`
	Requests int                             `json:"requests"`
	Found    map[string][]scoring.Maintainer `json:"maintainers"`
}

// Maintainers reads a round's look-ups; they are empty if there were none. A *ValueError if
// they cannot be read: AddMaintainers replaces them.
func (ro Rounds) Maintainers(ctx context.Context, round string) (Maintainers, error) {
	kept, _, err := ro.maintainers(round).Find(ctx)
	return kept, err
}

// AddMaintainers adds look-ups to those of a round, and returns all of them. An existing
// look-up stays as it is, so that every revision of the outcome uses the same ones. The
// numbers of requests add up. A value that cannot be read counts as empty.
func (ro Rounds) AddMaintainers(ctx context.Context, round string, more Maintainers) (Maintainers, error) {
	all, _, err := ro.maintainers(round).Change(ctx, func(kept Maintainers, _ kv.Stored, damaged bool) (Maintainers, bool) {
		all := Maintainers{Requests: kept.Requests + more.Requests, Found: map[string][]scoring.Maintainer{}}
		maps.Copy(all.Found, more.Found)
		maps.Copy(all.Found, kept.Found)
		return all, damaged || all.Requests != kept.Requests || len(all.Found) != len(kept.Found)
	})
	return all, err
}

// numbered lists the numbers n from 1 for which the bucket of rounds has the key prefix + n,
// in rising order. It ignores other spellings, such as prefix + 007.
func (l *link) numbered(ctx context.Context, prefix string) ([]int, error) {
	keys, err := l.rounds().Keys(ctx, prefix+"*")
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, key := range keys {
		tail := strings.TrimPrefix(key, prefix)
		if n, err := strconv.Atoi(tail); err == nil && n > 0 && strconv.Itoa(n) == tail {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
