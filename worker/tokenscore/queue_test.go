package tokenscore //nolint:testpackage // a queue is nobody's but the pool's

import (
	"context"
	"errors"
	"hash/maphash"
	"testing"
	"testing/synctest"

	"mirrorfleet/shared/scoring"
)

// seed is that of all keys: the same text has the same one.
var seed = maphash.MakeSeed()

func asking(texts ...string) []request {
	w := new(scoring.Weights)
	var files []request
	for _, text := range texts {
		files = append(files, newRequest(seed, &scoring.FilePlan{Language: "go", Base: text, Head: text + text}, w))
	}
	return files
}

// waitInLine has requests wait one after the other; order tells who was served.
func waitInLine(t *testing.T, q *queue, order chan string, requests ...string) {
	t.Helper()
	for _, text := range requests {
		go func() {
			s, err := q.take(t.Context(), asking(text))
			if err != nil {
				t.Errorf("request %s: %v", text, err)
				return
			}
			order <- text
			q.give(s)
		}()
		synctest.Wait()
	}
}

// A slot goes to the first that waits, but not to a text that another child has
// at the moment, as long as there is something else.
func TestQueueAvoidsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2)
		busy, err := q.take(t.Context(), asking("shared"))
		if err != nil {
			t.Fatal(err)
		}
		other, err := q.take(t.Context(), asking("x"))
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 3)
		waitInLine(t, q, order, "shared", "a", "b")
		q.give(other)
		for _, want := range []string{"a", "b", "shared"} {
			if got := <-order; got != want {
				t.Errorf("%s was served, want %s", got, want)
			}
		}
		q.give(busy)
		if len(q.underWay) != 0 || len(q.free) != 2 {
			t.Errorf("%d texts under way and %d slots free at the end, want 0 and 2", len(q.underWay), len(q.free))
		}
	})
}

// Nobody is passed for ever.
func TestQueuePassesNobodyForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2)
		busy, err := q.take(t.Context(), asking("shared"))
		if err != nil {
			t.Fatal(err)
		}
		other, err := q.take(t.Context(), asking("x"))
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 2*mostPassed)
		waitInLine(t, q, order, "shared")
		for range 2*mostPassed - 1 {
			waitInLine(t, q, order, "a")
		}
		q.give(other)
		for i := range 2 * mostPassed {
			got := <-order
			if want := i == mostPassed; (got == "shared") != want {
				t.Errorf("served %d-th: %s; want shared exactly after %d others", i, got, mostPassed)
			}
		}
		q.give(busy)
	})
}

// Who waits no longer is skipped, and gives back what came too late; a closed
// queue turns everybody away and hands its slots to whoever closes it.
func TestQueueLeaveAndClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		s, err := q.take(t.Context(), asking("a"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ends := make(chan error, 2)
		take := func(ctx context.Context) {
			_, err := q.take(ctx, asking("b"))
			ends <- err
		}
		go take(ctx)
		synctest.Wait()
		cancel()
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Errorf("a request whose context ended: %v, want %v", err, context.Canceled)
		}
		go take(t.Context())
		synctest.Wait()
		q.close()
		if err := <-ends; !errors.Is(err, ErrClosed) {
			t.Errorf("a request that waited: %v, want %v", err, ErrClosed)
		}
		if _, err := q.take(t.Context(), nil); !errors.Is(err, ErrClosed) {
			t.Errorf("a later request: %v, want %v", err, ErrClosed)
		}
		q.give(s)
		if got := <-q.back; got != s {
			t.Errorf("the slot came back as %p, want %p", got, s)
		}
	})
}
