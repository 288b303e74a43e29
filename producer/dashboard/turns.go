package dashboard

import (
	"context"
	"fmt"
	"sync"

	"mirrorfleet/producer/view"
)

// reads keeps what was read last of outcomes. Two viewers of the same outcome read it once.
type reads[T any] struct {
	turns turns[view.OutcomeRef]
	kept  view.Recent[view.OutcomeRef, T]
}

// once returns what is kept of an outcome if it is still good, or reads it, and keeps that
// among at most limit others.
func (r *reads[T]) once(ctx context.Context, at view.OutcomeRef, limit int, good func(T) bool, read func() (T, error)) (T, error) {
	done, err := r.turns.take(ctx, at)
	if err != nil {
		var none T
		return none, err
	}
	defer done()
	if found, kept := r.kept.Get(at); kept && good(found) {
		return found, nil
	}
	value, err := read()
	if err == nil {
		r.kept.Keep(at, value, limit)
	}
	return value, err
}

// turns lets one viewer at a time read each thing. Two viewers of the same thing so read it
// once, and no viewer waits for the read of another thing. Its zero value is ready.
type turns[K comparable] struct {
	mu    sync.Mutex
	taken map[K]chan struct{} // closed when the turn is over
}

// take waits for a turn. The caller ends it by calling done.
func (t *turns[K]) take(ctx context.Context, key K) (done func(), err error) {
	for {
		over, mine := t.begin(key)
		if mine {
			return func() { t.end(key, over) }, nil
		}
		select {
		case <-over:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another viewer of %v: %w", key, context.Cause(ctx))
		}
	}
}

// begin takes the turn if nobody has it. over is the end of the one that is under way now.
func (t *turns[K]) begin(key K) (over chan struct{}, mine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if over, taken := t.taken[key]; taken {
		return over, false
	}
	if t.taken == nil {
		t.taken = map[K]chan struct{}{}
	}
	over = make(chan struct{})
	t.taken[key] = over
	return over, true
}

func (t *turns[K]) end(key K, over chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.taken, key)
	close(over)
}
