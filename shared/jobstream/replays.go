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

// CreateReplay stores the plan of a replay; ErrExists if there is one of its
// number.
func (ro Rounds) CreateReplay(ctx context.Context, r job.Replay) error {
	return ro.replay(r.Round, r.Number).Create(ctx, r)
}

// Replay reads the plan of a round's nth replay; ErrNotFound if none. One that is
// damaged says so (Damage) and has no miners: it costs neither the round nor the
// lists that the round is in.
func (ro Rounds) Replay(ctx context.Context, round string, n int) (job.Replay, error) {
	r, stored, err := ro.replay(round, n).Load(ctx)
	if Damaged(err) {
		return job.Replay{Round: round, Number: n, Damage: err.Error()}, nil
	}
	r.SHA256 = stored.SHA256
	return r, err
}

// Replays reads the plans of a round's replays, in their order.
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

// Planned reads a round's manifest with what its replays have found out about
// its miners; ErrNotFound for a round that nobody has planned.
func (ro Rounds) Planned(ctx context.Context, round string) (job.Manifest, error) {
	m, err := ro.Manifest(ctx, round)
	if err != nil {
		return m, err
	}
	replays, err := ro.Replays(ctx, round)
	return m.After(replays), err
}

// Maintainers are what was looked up for a round, by repository, with the number
// of requests that it took.
type Maintainers struct {
	Version  int                             `json:"version"`
	Requests int                             `json:"requests"`
	Found    map[string][]scoring.Maintainer `json:"maintainers"`
}

// Maintainers reads what was looked up for a round; nothing if nothing was. A
// *ValueError if it cannot be read: AddMaintainers replaces it.
func (ro Rounds) Maintainers(ctx context.Context, round string) (Maintainers, error) {
	kept, _, err := ro.maintainers(round).Find(ctx)
	return kept, err
}

// AddMaintainers keeps look-ups of a round and returns all that are kept. What
// is there already stays, so that every revision of an outcome has the same ones;
// requests are added to those before. What cannot be read counts as nothing.
func (ro Rounds) AddMaintainers(ctx context.Context, round string, more Maintainers) (Maintainers, error) {
	all, _, err := ro.maintainers(round).Change(ctx, func(kept Maintainers, _ kv.Stored, damaged bool) (Maintainers, bool) {
		all := Maintainers{Requests: kept.Requests + more.Requests, Found: map[string][]scoring.Maintainer{}}
		maps.Copy(all.Found, more.Found)
		maps.Copy(all.Found, kept.Found)
		return all, damaged || all.Requests != kept.Requests || len(all.Found) != len(kept.Found)
	})
	return all, err
}

// numbered lists the numbers n from 1 for which the bucket of rounds has a key
// prefix + n, in rising order. Other keys (prefix + 007) are nobody's.
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
