package ratelimit_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// Each caller shows its place in the process's line, which moves up; and Redis, once that
// grants nothing.
func TestAWaiterShowsItsPlace(t *testing.T) {
	t.Parallel()
	const waiters = 3
	s := embedded(t)
	cfg := quick()
	cfg.Horizon = 10 * time.Second // the first permit of a bucket is as far away
	l := s.patientLimiter(t, cfg)
	boards := make([]doing.Board, waiters)
	gone := make([]context.CancelFunc, waiters)
	var all sync.WaitGroup
	places := func() (places []int) {
		for i := range boards {
			if state := boards[i].State(time.Now()); state.Waits == doing.Permit {
				places = append(places, state.Place)
			}
		}
		return places
	}
	for i := range waiters {
		ctx, cancel := context.WithCancel(t.Context())
		gone[i] = cancel
		ctx, _ = doing.Begin(doing.With(ctx, &boards[i]), "a request")
		all.Go(func() { _, _ = l.Permit(ctx) })
		await(t, "the waiter is in line", func() bool { return l.Stats().Waiting > i })
	}
	if got := places(); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("places %v, want 1, 2, 3", got)
	}
	gone[1]()
	await(t, "the third moves up", func() bool { return slices.Equal(places(), []int{1, 2}) })
	for _, cancel := range gone {
		cancel()
	}
	all.Wait()
	if got := places(); len(got) != 0 {
		t.Errorf("places %v of those who have gone", got)
	}
}

// A caller shows that it waits for Redis.
func TestAWaiterShowsThatRedisIsGone(t *testing.T) {
	t.Parallel()
	rdb := must.Get(ratelimit.NewClient("redis://127.0.0.1:1", 50*time.Millisecond))(t)
	t.Cleanup(func() { _ = rdb.Close() })
	l := must.Get(ratelimit.New(ratelimit.Config{}, rdb))(t)
	t.Cleanup(func() { _ = l.Close() })
	var board doing.Board
	ctx, cancel := context.WithCancel(t.Context())
	ctx, _ = doing.Begin(doing.With(ctx, &board), "a request")
	var waiting sync.WaitGroup
	waiting.Go(func() { _, _ = l.Permit(ctx) })
	await(t, "it says so", func() bool { state := board.State(time.Now()); return state.Waits == doing.Redis && state.Why != "" })
	cancel()
	waiting.Wait()
}
