package session

import (
	"context"
	"testing"
	"time"

	"mirrorfleet/producer/view"
)

// Before there is a connection, only what was known before is said of the round; before
// there is a round, nothing is.
func TestALeftoverWithoutServersIsNotAskedFor(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel() // as after a signal
	s := New(Config{})
	if left, begun := s.Leftover(ended, time.Now()); begun {
		t.Errorf("without a round: got %+v, want none", left)
	}
	s.planned, s.stored = "r1", true
	want := view.Leftover{Round: "r1", Stands: view.LeftUnasked, Was: true}
	if got, begun := s.Leftover(ended, time.Now()); !begun || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
