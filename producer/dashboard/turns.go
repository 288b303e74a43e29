package dashboard

import (
	"context"
	"fmt"
	"sync"
)

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
