package tokenscore //nolint:testpackage // a queue is nobody's but the pool's

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// Of the free slots a client gets the one whose child remembers its texts; a
// child is taken from another client last of all, and the one that was idle
// longest first.
func TestQueueGivesWhatCostsLeast(t *testing.T) {
	t.Parallel()
	serving := func(author string) *slot { return &slot{child: &child{client: &client{author: author}}} }
	mine, unused, empty, long, short := serving("mine"), &slot{child: &child{}}, &slot{}, serving("long idle"), serving("")
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
		first, err := q.take(t.Context(), client{})
		if err != nil {
			t.Fatal(err)
		}
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
