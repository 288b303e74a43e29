package page

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/terminal"
)

// Display shows a round while it runs: a few lines that are redrawn on a terminal, or a
// plain line from time to time elsewhere. If its output is closed it shows nothing more,
// and the round continues.
type Display struct{ out *terminal.Screen }

// NewDisplay returns a Display that shows rounds on a screen.
func NewDisplay(out *terminal.Screen) *Display { return &Display{out: out} }

// How often the display changes: often enough to feel alive on a terminal, rarely enough
// to be readable in a log.
const (
	redraw    = 500 * time.Millisecond
	plainLine = 5 * time.Second
	// lookEvery is how often the bucket is read. The count of requests, and the share of
	// the limit, are exact to this time.
	lookEvery = time.Second
)

// Run draws the round until ctx ends, and once more then, so that the last lines show how
// it ended. Reading the bucket has its own ticker: a Redis that is away delays drawing by
// one call at most.
func (d *Display) Run(ctx context.Context, w *view.Watch) {
	m := w.Begin(ctx, time.Now())
	draw, every := d.print, plainLine
	if terminal.Of(d.out).Width > 0 {
		draw, every = d.draw, redraw
	}
	drawing, reading := time.NewTicker(every), time.NewTicker(lookEvery)
	defer drawing.Stop()
	defer reading.Stop()
	for {
		select {
		case <-ctx.Done():
			w.Look(context.WithoutCancel(ctx), &m, time.Now())
			w.Latest(&m, time.Now())
			d.last(moment{m})
			return
		case now := <-reading.C:
			w.Look(ctx, &m, now)
		case now := <-drawing.C:
			w.Latest(&m, now)
			if err := draw(moment{m}); err != nil {
				return // the output is closed
			}
		}
	}
}

func (d *Display) draw(m moment) error { return d.out.Draw(m.lines) }

func (d *Display) print(m moment) error {
	_, err := fmt.Fprintln(d.out, m.line())
	return err //nolint:wrapcheck // it only ends the display: there is nowhere to print it
}

// last shows how the round ended. An error of the output is ignored.
func (d *Display) last(m moment) {
	if terminal.Of(d.out).Width > 0 {
		_ = d.out.Leave(m.lines)
		return
	}
	_ = d.print(m)
}
