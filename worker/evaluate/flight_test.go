package evaluate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/worker/evaluate"
)

// until polls a fact of a server's, which tells nobody of it.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatal("never")
		}
	}
}

// A job fetches a pull request that another job of the worker waits for too, and
// loses its lease over it. The other one then fetches it by itself.
func TestAWaiterOutlivesTheOthersLease(t *testing.T) {
	t.Parallel()
	b := setup(t, named(1, "h"))
	must(t, b.server.FailFirst("files:a/b#1", 1, mirrorsim.FaultStall))
	lost := errors.New("lease lost")
	leased, lose := context.WithCancelCause(t.Context())
	defer lose(nil)
	var group errgroup.Group
	group.Go(func() error {
		_, err := b.evaluator.Evaluate(leased, one(), evaluate.Attempt{})
		if !errors.Is(err, lost) {
			t.Errorf("the job that lost its lease: got %v, want that it says so", err)
		}
		return nil
	})
	until(t, func() bool { return filesAsked(b) == 1 })
	var waited job.Evaluation
	group.Go(func() (err error) {
		waited, err = b.evaluator.Evaluate(t.Context(), one(), evaluate.Attempt{})
		return err
	})
	until(t, func() bool { return b.server.Stats().Requests == 3 }) // it has its list, and needs the files next
	lose(lost)
	must(t, group.Wait())
	if len(waited.Missing) > 0 || waited.Evaluation.Merged[0].TotalNodesScored == 0 {
		t.Errorf("the job that waited: got %+v, want the files that it fetched itself", waited)
	}
}

// A job that waits for another's fetch ends with its own lease, and the fetch
// goes on.
func TestAWaiterEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t, named(1, "h"))
	must(t, b.server.FailFirst("files:a/b#1", 1, mirrorsim.FaultStall))
	fetching, stop := context.WithCancel(t.Context())
	var group errgroup.Group
	group.Go(func() error {
		_, err := b.evaluator.Evaluate(fetching, one(), evaluate.Attempt{})
		if fetching.Err() == nil {
			t.Errorf("the fetch ended with the job that waited for it: %v", err)
		}
		return nil
	})
	until(t, func() bool { return filesAsked(b) == 1 })
	lost := errors.New("lease lost")
	leased, lose := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, lost)
	defer lose()
	if _, err := b.evaluator.Evaluate(leased, one(), evaluate.Attempt{}); !errors.Is(err, lost) {
		t.Errorf("got %v, want the cause of the context's end", err)
	}
	if filesAsked(b) != 1 {
		t.Errorf("%d requests for the files, want one", filesAsked(b))
	}
	stop()
	must(t, group.Wait())
}
