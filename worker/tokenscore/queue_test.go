package tokenscore //nolint:testpackage // a queue is nobody's but the pool's

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"mirrorfleet/shared/must"
)

// Of the free slots a client gets the one whose child remembers its texts; a
// child is taken from another client last of all, and the one that was idle
// longest first.
func TestQueueGivesWhatCostsLeast(t *testing.T) {
	t.Parallel()
	serving := func(author string) *slot { return &slot{child: &child{client: &client{author: author}}} }
	mine := serving("mine")
	unused := &slot{child: &child{}}
	empty := &slot{}
	long := serving("long idle")
	short := serving("")
	q := newQueue(0)
	q.turns = make(chan struct{}, 5)
	for _, s := range []*slot{long, empty, unused, short, mine} {
		q.give(s)
	}
	for i, want := range []*slot{mine, unused, empty, long, short} {
		if got, err := q.take(t.Context(), client{author: "mine"}); got != want || err != nil {
			t.Errorf("slot %d: %+v, %v; want %+v", i, got, err, want)
		}
	}
}

// Whose files these are is not known: no child has had them, whoever it served.
func TestUnknownAuthorsShareNoChild(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		has  *client
		asks client
		want bool
	}{
		{nil, client{}, true},
		{&client{"", "w"}, client{"", "w"}, false},
		{&client{"a", "w"}, client{"", "w"}, false},
		{&client{"a", "w"}, client{"a", "w"}, true},
		{&client{"a", "w"}, client{"b", "w"}, false},
		{&client{"a", "w"}, client{"a", "other"}, false},
	} {
		if got := (&child{client: tt.has}).serves(tt.asks); got != tt.want {
			t.Errorf("a child of %+v serves %+v: %v, want %v", tt.has, tt.asks, got, tt.want)
		}
	}
}

// Who came first is served first; who waits no longer takes nothing away; a
// closed queue turns everybody away and waits for its slots.
func TestQueueLeaveAndClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		first := must.Get(q.take(t.Context(), client{}))(t)
		ctx, cancel := context.WithCancel(t.Context())
		type end struct {
			who int
			err error
		}
		ends := make(chan end, 3)
		for who, ctx := range []context.Context{ctx, t.Context(), t.Context()} {
			go func() {
				_, err := q.take(ctx, client{})
				ends <- end{who, err}
			}()
			synctest.Wait()
		}
		cancel()
		if got := <-ends; got.who != 0 || !errors.Is(got.err, context.Canceled) {
			t.Errorf("a request whose context ended: %+v, want %v of request 0", got, context.Canceled)
		}
		q.give(first)
		if got := <-ends; got.who != 1 || got.err != nil {
			t.Errorf("when the slot came back: %+v, want that request 1 has it", got)
		}
		closed := make(chan []*slot, 1)
		go func() { closed <- q.close() }()
		if got := <-ends; got.who != 2 || !errors.Is(got.err, ErrClosed) {
			t.Errorf("a request that waited: %+v, want %v of request 2", got, ErrClosed)
		}
		if _, err := q.take(t.Context(), client{}); !errors.Is(err, ErrClosed) {
			t.Errorf("a later request: %v, want %v", err, ErrClosed)
		}
		synctest.Wait()
		if len(closed) != 0 {
			t.Error("closed before the slot was back")
		}
		q.give(first)
		if got := <-closed; len(got) != 1 || got[0] != first {
			t.Errorf("slots %v came back, want %p", got, first)
		}
	})
}

// Whoever is to be alone waits until nobody else has a slot, and nobody gets one
// meanwhile; two of them take turns, and one that gives up, or finds the queue
// closed, leaves nothing behind.
func TestQueueAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2)
		take := func(from func(context.Context) (*slot, error), ctx context.Context) <-chan *slot {
			got := make(chan *slot, 1)
			go func() {
				s, err := from(ctx)
				if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
				got <- s
			}()
			synctest.Wait()
			return got
		}
		anySlot := func(ctx context.Context) (*slot, error) { return q.take(ctx, client{}) }
		working := <-take(anySlot, t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := take(q.takeAlone, ctx)
		first := take(q.takeAlone, t.Context())
		second := take(q.takeAlone, t.Context())
		other := take(anySlot, t.Context())
		if len(gaveUp)+len(first)+len(second)+len(other) > 0 {
			t.Fatal("somebody has a slot beside the one that works")
		}
		cancel()
		if <-gaveUp != nil {
			t.Error("a slot for somebody who does not wait any more")
		}
		q.give(working)
		for waiting := range 3 { // in any order, but never two at once
			synctest.Wait()
			if n := len(first) + len(second) + len(other); n != 1 {
				t.Fatalf("%d have a slot, want one", n)
			}
			select {
			case s := <-first:
				q.giveAlone(s)
			case s := <-second:
				q.giveAlone(s)
			case s := <-other:
				q.give(s)
			}
			if waiting == 2 && len(q.turns) != 2 {
				t.Errorf("%d slots are free in the end, want 2", len(q.turns))
			}
		}
		working = <-take(anySlot, t.Context())
		waits, closed := take(q.takeAlone, t.Context()), make(chan []*slot, 1)
		go func() { closed <- q.close() }()
		if <-waits != nil {
			t.Error("a slot of a closed queue")
		}
		q.give(working)
		if slots := <-closed; len(slots) != 2 {
			t.Errorf("%d slots came back, want 2", len(slots))
		}
	})
}
