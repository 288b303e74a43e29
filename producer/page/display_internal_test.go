package page

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/terminal"
)

// watched is a round that is watched, and a display on a file.
func watched(out *os.File) (*Display, *view.Watch) {
	limit := func(context.Context) (ratelimit.State, error) {
		return ratelimit.State{Limit: 50, Window: 10 * time.Second}, nil
	}
	return NewDisplay(terminal.NewScreen(out)), view.NewWatch("r1", limit, func() error { return nil })
}

// The round must never wait for its display, and what is shown last is the
// round's end.
func TestDisplayShowsTheLastStateAndNeverBlocks(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	must.Do(t, err)
	defer r.Close()
	d, watch := watched(w)
	for done := range 1000 { // nobody draws yet: each call must return
		watch.Update(round.Progress{Planned: 1000, Done: done})
	}
	watch.See(round.Sight{StandsBy: "another"})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx, watch) }()
	watch.Update(round.Progress{Planned: 1000, Done: 1000})
	cancel()
	<-ended
	must.Do(t, w.Close())
	lines := strings.Split(strings.TrimSpace(string(must.Get(io.ReadAll(r))(t))), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, "1000/1000 done") {
		t.Errorf("last line: got %q, want the round's end", last)
	}
}

// A display whose output is gone ends; what it is told of goes nowhere, and waits
// for nobody.
func TestDisplayEndsWithItsOutput(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	must.Do(t, err)
	must.Do(t, r.Close())
	defer w.Close()
	d, watch := watched(w)
	d.Run(t.Context(), watch) // it returns though the context does not end
	watch.Update(round.Progress{Planned: 1})
	watch.See(round.Sight{})
}
