package doing_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/doing"
)

// A board shows the first step that works, and the first of all while every step waits. A
// wait tells what is true when somebody looks.
func TestABoardShowsTheStepThatMatters(t *testing.T) {
	t.Parallel()
	var board doing.Board
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	ctx := doing.With(t.Context(), &board)
	shows := func(want doing.State) {
		t.Helper()
		if diff := cmp.Diff(want, board.State(now)); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
	}
	shows(doing.State{})

	first, endFirst := doing.Begin(ctx, "files of a/b#1")
	shows(doing.State{What: "files of a/b#1"})
	place := 3
	endWait := doing.Wait(first, func(time.Time) doing.State { return doing.State{Waits: doing.Permit, Place: place} })
	second, endSecond := doing.Begin(ctx, "files of a/b#2")
	shows(doing.State{What: "files of a/b#2"})
	until := now.Add(8 * time.Second)
	endRetry := doing.Wait(second, func(now time.Time) doing.State {
		return doing.State{Waits: doing.Retry, For: until.Sub(now), Why: "status 502"}
	})
	place = 2
	shows(doing.State{What: "files of a/b#1", Waits: doing.Permit, Place: 2})
	endWait()
	shows(doing.State{What: "files of a/b#1"})
	endFirst()
	now = now.Add(5 * time.Second)
	shows(doing.State{What: "files of a/b#2", Waits: doing.Retry, For: 3 * time.Second, Why: "status 502"})
	now = now.Add(5 * time.Second)
	shows(doing.State{What: "files of a/b#2", Waits: doing.Retry, Why: "status 502"})
	endRetry()
	endSecond()
	shows(doing.State{})
}

// What is said without a board, or without a step, goes nowhere.
func TestWithoutABoardNothingIsShown(t *testing.T) {
	t.Parallel()
	ctx, end := doing.Begin(context.Background(), "files of a/b#1")
	doing.Wait(ctx, func(time.Time) doing.State { t.Error("somebody looked"); return doing.State{} })()
	end()
	var board doing.Board
	doing.Wait(doing.With(t.Context(), &board), func(time.Time) doing.State { return doing.State{Waits: doing.Redis} })
	if got := board.State(time.Now()); got != (doing.State{}) {
		t.Errorf("got %+v, want nothing of a wait that no step has", got)
	}
}

// Another job that is worked on under the same context has a board and steps of its own.
func TestABoardBeginsAnew(t *testing.T) {
	t.Parallel()
	var outer, inner doing.Board
	under, end := doing.Begin(doing.With(t.Context(), &outer), "outer")
	defer end()
	doing.Wait(doing.With(under, &inner), func(time.Time) doing.State { return doing.State{Waits: doing.Redis} })
	if got := outer.State(time.Now()); got.Waits != "" {
		t.Errorf("got %+v, want that the outer step does not wait", got)
	}
}
