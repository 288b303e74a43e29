package ratelimit

import (
	"context"
	"slices"
	"sync"
	"time"

	"mirrorfleet/shared/broadcast"
)

// queue lets one waiter at a time deal with Redis, first in, first out, and tells
// how many wait. It is empty at first.
type queue struct {
	mu    sync.Mutex
	busy  bool             // somebody holds the turn
	line  []ticket         // each is closed when its turn comes
	turn  time.Time        // when the one whose turn it is got it
	moved broadcast.Signal // the turn has ended
}

// ticket is one waiter's place in the line; it is closed when its turn comes.
type ticket chan struct{}

// place is a waiter's place in the line; 1 is the one whose turn it is.
func (q *queue) place(mine ticket) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Index(q.line, mine) + 2 // the line has no entry for the first
}

// join waits for the turn. An error means that the turn is not held.
func (q *queue) join(ctx context.Context, mine ticket, now time.Time) error {
	q.mu.Lock()
	if !q.busy {
		q.busy, q.turn = true, now
		q.mu.Unlock()
		return nil
	}
	q.line = append(q.line, mine)
	q.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	if !q.quit(mine) {
		q.leave(time.Now()) // the turn came at the same moment: it goes on
	}
	return ended(ctx)
}

// quit takes a waiter out of the line; false if its turn has come already.
func (q *queue) quit(mine ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.Index(q.line, mine)
	if at < 0 {
		return false
	}
	q.line = slices.Delete(q.line, at, at+1)
	return true
}

// leave hands the turn to the next in line.
func (q *queue) leave(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turn = now
	q.moved.Send()
	if len(q.line) == 0 {
		q.busy = false
		return
	}
	close(q.line[0])
	q.line = slices.Delete(q.line, 0, 1)
}

// look is the queue at a moment: how many wait, the one with the turn included,
// since when that one has had the turn, and what is closed when that ends.
func (q *queue) look() (now queueState) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.busy {
		return queueState{moved: q.moved.Next()}
	}
	return queueState{len(q.line) + 1, q.turn, q.moved.Next()}
}

type queueState struct {
	waiting int
	turn    time.Time
	moved   <-chan struct{}
}
