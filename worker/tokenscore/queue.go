package tokenscore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
)

// queue gives slots to pull requests, first come first served.
type queue struct {
	turns  chan struct{} // one for each slot that is free
	closed chan struct{}

	mu   sync.Mutex
	free []*slot // the one used last stands last
}

// slot is the place of one child; nil until it is needed. Whoever took it owns
// its child.
type slot struct{ child *child }

func newQueue(slots int) *queue {
	q := &queue{turns: make(chan struct{}, slots), closed: make(chan struct{})}
	for range slots {
		q.give(&slot{})
	}
	return q
}

// take waits for a slot, and gives the free one that costs the client least.
func (q *queue) take(ctx context.Context, who client) (*slot, error) {
	if q.isClosed() {
		return nil, ErrClosed
	}
	select {
	case <-q.turns:
	case <-q.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a token-scoring child: %w", ctx.Err())
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s := slices.MinFunc(q.free, func(a, b *slot) int { return cmp.Compare(a.cost(who), b.cost(who)) })
	q.free = slices.DeleteFunc(q.free, func(other *slot) bool { return other == s })
	return s, nil
}

// cost orders slots by what a client's files lose there: nothing with a child
// that remembers its texts; what it remembers; the time to start a child; and
// with another's child, what that one remembers too.
func (s *slot) cost(who client) int {
	switch {
	case s.child == nil:
		return 2
	case s.child.client == nil:
		return 1
	case s.child.serves(who):
		return 0
	default:
		return 3
	}
}

// give takes a slot back.
func (q *queue) give(s *slot) {
	q.mu.Lock()
	q.free = append(q.free, s)
	q.mu.Unlock()
	q.turns <- struct{}{} // has room for all
}

func (q *queue) isClosed() bool {
	select {
	case <-q.closed:
		return true
	default:
		return false
	}
}

// close turns everybody away who waits, and returns all slots when the last of
// them is back.
func (q *queue) close() []*slot {
	close(q.closed)
	for range cap(q.turns) {
		<-q.turns
	}
	return q.free
}
