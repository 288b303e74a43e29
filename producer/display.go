package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/terminal"
)

// display shows a round while it runs: a few lines redrawn at a terminal, a plain
// line from time to time otherwise. When its output is gone it shows nothing, and
// the round goes on.
type display struct {
	out   *terminal.Screen
	round string
	// limit reads the bucket, and says why no permit would be granted; nats says what is
	// wrong with NATS.
	limit func(context.Context) (ratelimit.State, error)
	nats  func() error

	mu       sync.Mutex
	progress round.Progress
	sight    round.Sight
}

// The pace of the display: often enough to feel alive at a terminal, rarely
// enough to read in a log.
const (
	redraw    = 500 * time.Millisecond
	plainLine = 5 * time.Second
	// readLimit is how often the bucket is asked: the first permit is seen
	// within this time, and the share of the limit is exact to that.
	readLimit = time.Second
)

// update takes the latest progress; it never blocks the round.
func (d *display) update(p round.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress, d.sight.StandsBy = p, "" // whose jobs are counted runs the round
}

// see takes what else is seen of the round.
func (d *display) see(s round.Sight) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sight = s
}

// run draws until the context ends, and once more then.
func (d *display) run(ctx context.Context) {
	v := view{round: d.round, started: time.Now(), meter: &estimate.Meter{}}
	d.look(ctx, &v, v.started)
	draw, every := d.print, plainLine
	if terminal.Of(d.out).Width > 0 {
		draw, every = d.draw, redraw
	}
	drawing, reading := time.NewTicker(every), time.NewTicker(readLimit)
	defer drawing.Stop()
	defer reading.Stop()
	for {
		select {
		case <-ctx.Done():
			d.look(context.WithoutCancel(ctx), &v, time.Now())
			d.last(v)
			return
		case now := <-reading.C:
			d.look(ctx, &v, now)
		case now := <-drawing.C:
			d.latest(&v, now)
			if err := draw(v); err != nil {
				return // nobody sees it
			}
		}
	}
}

// latest brings a view up to an instant.
func (d *display) latest(v *view, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v.now, v.progress, v.sight = now, d.progress, d.sight
}

// look asks the bucket, and what is wrong with the servers.
func (d *display) look(ctx context.Context, v *view, now time.Time) {
	d.latest(v, now)
	switch v.nats = d.nats(); {
	case v.nats == nil:
		v.silent = time.Time{}
	case v.silent.IsZero():
		v.silent = now
	}
	missed := v.redis != nil
	state, err := d.limit(ctx)
	v.redis = err
	if err != nil {
		return
	}
	v.bucket = state
	v.meter.Read(estimate.Reading{
		Granted: state.Granted, Rate: state.Rate, Limit: state.Limit, Window: state.Window,
		Rests: missed || state.CoolDown > 0 || state.Hold > 0 || v.stalled() || v.sight.Workers.None,
	}, now)
}

func (d *display) draw(v view) error { return d.out.Draw(v.lines) }

func (d *display) print(v view) error {
	_, err := fmt.Fprintln(d.out, v.line())
	return err //nolint:wrapcheck // nobody is told: there is no place for it
}

// last shows how it ended. An output that is gone is none.
func (d *display) last(v view) {
	d.latest(&v, time.Now())
	if terminal.Of(d.out).Width > 0 {
		_ = d.out.Leave(v.lines)
		return
	}
	_ = d.print(v)
}
