package page

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/terminal"
)

// Display shows a round while it runs: a few lines redrawn at a terminal, a plain
// line from time to time otherwise. When its output is gone it shows nothing, and
// the round goes on.
type Display struct{ out *terminal.Screen }

// NewDisplay shows rounds on a screen.
func NewDisplay(out *terminal.Screen) *Display { return &Display{out: out} }

// The pace of the display: often enough to feel alive at a terminal, rarely
// enough to read in a log.
const (
	redraw    = 500 * time.Millisecond
	plainLine = 5 * time.Second
	// lookEvery is how often the bucket is asked: the first permit is seen
	// within this time, and the share of the limit is exact to that.
	lookEvery = time.Second
)

// Run draws what is watched until the context ends, and once more then.
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
				return // nobody sees it
			}
		}
	}
}

func (d *Display) draw(m moment) error { return d.out.Draw(m.lines) }

func (d *Display) print(m moment) error {
	_, err := fmt.Fprintln(d.out, m.line())
	return err //nolint:wrapcheck // nobody is told: there is no place for it
}

// last shows how it ended. An output that is gone is none.
func (d *Display) last(m moment) {
	if terminal.Of(d.out).Width > 0 {
		_ = d.out.Leave(m.lines)
		return
	}
	_ = d.print(m)
}
