package tokenscore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
)

// queue assigns slots to pull requests in order of arrival.
type queue struct {
	turns  chan struct{} // one for each slot that is free
	alone  chan struct{} // one, for the caller that waits for all slots or has them
	closed chan struct{}

	mu   sync.Mutex
	free []*slot // the one used last stands last
}

// slot is the place of one child, which is nil until it is needed. The caller that
// took the slot owns its child.
type slot struct{ child *child }

func newQueue(slots int) *queue {
	q := &queue{turns: make(chan struct{}, slots), alone: make(chan struct{}, 1), closed: make(chan struct{})}
	for range slots {
		q.give(&slot{})
	}
	return q
}

// take waits for a slot, and returns the free one with the lowest cost for the client.
func (q *queue) take(ctx context.Context, who client) (*slot, error) {
	if err := q.turn(ctx); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s := slices.MinFunc(q.free, func(a, b *slot) int { return cmp.Compare(a.cost(who), b.cost(who)) })
	q.free = slices.DeleteFunc(q.free, func(other *slot) bool { return other == s })
	return s, nil
}

// turn waits for the right to one free slot.
func (q *queue) turn(ctx context.Context) error {
	if q.isClosed() {
		return ErrClosed
	}
	select {
	case <-q.turns:
		return nil
	case <-q.closed:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("waiting for a token-scoring child: %w", ctx.Err())
	}
}

// takeAlone takes all slots, so that no other child works, and returns the one with the
// lowest cost for an unknown client. The caller must not hold a slot: it would wait for
// itself. giveAlone returns all slots.
func (q *queue) takeAlone(ctx context.Context) (*slot, error) {
	select {
	case q.alone <- struct{}{}: // two that collect turns would wait for each other
	case <-q.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to have a token-scoring child alone: %w", ctx.Err())
	}
	for others := range cap(q.turns) - 1 {
		if err := q.turn(ctx); err != nil {
			q.giveTurns(others)
			return nil, err
		}
	}
	s, err := q.take(ctx, client{})
	if err != nil {
		q.giveTurns(cap(q.turns) - 1)
	}
	return s, err
}

// giveAlone takes back what takeAlone gave.
func (q *queue) giveAlone(s *slot) {
	q.give(s)
	q.giveTurns(cap(q.turns) - 1)
}

// giveTurns returns the turns of slots that were kept idle.
func (q *queue) giveTurns(turns int) {
	for range turns {
		q.turns <- struct{}{}
	}
	<-q.alone
}

// cost ranks slots by the work that is lost if they score a client's file.
func (s *slot) cost(who client) int {
	switch {
	case s.child == nil: // the time to start a child
		return 2
	case s.child.client == nil: // it runs, and remembers no text
		return 1
	case s.child.serves(who): // it remembers this client's texts
		return 0
	default: // that time too, and what the child remembers for another client
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

// close ends all waiting with ErrClosed. It returns all slots when the last one is back.
func (q *queue) close() []*slot {
	close(q.closed)
	for range cap(q.turns) {
		<-q.turns
	}
	return q.free
}
