package tokenscore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// mostPassed is how often others may go before a request that came first.
const mostPassed = 16

// queue gives slots to requests. Among the requests that wait, a slot goes to
// the first of those of whose texts the least is under way in other children:
// what they are parsing now will be known in a moment, and no text is parsed
// twice. No slot is ever kept free for that, and nobody is passed more than
// mostPassed times.
type queue struct {
	mu       sync.Mutex
	free     []*slot
	waiting  []*waiter      // first come first
	underWay map[uint64]int // how many slots have a text, by its key; a collision costs time and nothing else
	closed   bool
	back     chan *slot // takes all slots once closed
}

// slot is the place of one child; nil until it is needed. Whoever took it owns
// its child.
type slot struct {
	child *child
	files []request // that has it; the queue's
}

// waiter is a request that waits for a slot.
type waiter struct {
	files  []request
	passed int
	ready  chan *slot // closed when there will be none
}

func newQueue(slots int) *queue {
	q := &queue{underWay: make(map[uint64]int), back: make(chan *slot, slots)}
	for range slots {
		q.free = append(q.free, &slot{})
	}
	return q
}

// take waits for a slot for these files.
func (q *queue) take(ctx context.Context, files []request) (*slot, error) {
	w := &waiter{files: files, ready: make(chan *slot, 1)}
	q.mu.Lock()
	switch {
	case q.closed:
		close(w.ready)
	case len(q.free) > 0:
		// One that has a child, if there is one: starting another takes time.
		at := max(0, slices.IndexFunc(q.free, func(s *slot) bool { return s.child != nil }))
		s := q.free[at]
		q.free = slices.Delete(q.free, at, at+1)
		q.handLocked(s, w)
	default:
		q.waiting = append(q.waiting, w)
	}
	q.mu.Unlock()
	select {
	case s := <-w.ready:
		if s == nil {
			return nil, ErrClosed
		}
		return s, nil
	case <-ctx.Done():
		q.leave(w)
		return nil, fmt.Errorf("waiting for a token-scoring child: %w", ctx.Err())
	}
}

// leave takes a request out of the queue that waits no longer; a slot that it
// was given meanwhile goes to the next one.
func (q *queue) leave(w *waiter) {
	q.mu.Lock()
	q.waiting = slices.DeleteFunc(q.waiting, func(other *waiter) bool { return other == w })
	q.mu.Unlock()
	select {
	case s := <-w.ready:
		if s != nil {
			q.give(s)
		}
	default:
	}
}

// give takes a slot back and passes it on.
func (q *queue) give(s *slot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for t := range textsOf(s.files) {
		if q.underWay[t.key]--; q.underWay[t.key] == 0 {
			delete(q.underWay, t.key)
		}
	}
	s.files = nil
	switch {
	case q.closed:
		q.back <- s // has room for all
	case len(q.waiting) == 0:
		q.free = append(q.free, s)
	default:
		next := q.nextLocked()
		w := q.waiting[next]
		q.waiting = slices.Delete(q.waiting, next, next+1)
		q.handLocked(s, w)
	}
}

// nextLocked chooses who gets a slot.
func (q *queue) nextLocked() int {
	best, least := 0, q.underWayLocked(q.waiting[0])
	if q.waiting[0].passed >= mostPassed {
		return 0
	}
	for i, w := range q.waiting[1:] {
		if bytes := q.underWayLocked(w); bytes < least {
			best, least = i+1, bytes
		}
	}
	for _, w := range q.waiting[:best] {
		w.passed++
	}
	return best
}

// underWayLocked is how many bytes of a request's texts other children have now.
func (q *queue) underWayLocked(w *waiter) (bytes int) {
	for t := range textsOf(w.files) {
		if q.underWay[t.key] > 0 {
			bytes += len(t.text)
		}
	}
	return bytes
}

// textsOf are all texts of a request.
func textsOf(files []request) iter.Seq[*keyed] {
	return func(yield func(*keyed) bool) {
		for i := range files {
			for k := range files[i].texts {
				if !yield(&files[i].texts[k]) {
					return
				}
			}
		}
	}
}

func (q *queue) handLocked(s *slot, w *waiter) {
	s.files = w.files
	for t := range textsOf(w.files) {
		q.underWay[t.key]++
	}
	w.ready <- s
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// close turns everybody away who waits; all slots go to back from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, w := range q.waiting {
		close(w.ready)
	}
	for _, s := range q.free {
		q.back <- s
	}
	q.waiting, q.free = nil, nil
}
