package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/producer/round"
)

// limitUse is what the display wants to know of the bucket.
type limitUse struct {
	granted  int64         // permits since the bucket was made
	rate     float64       // permits a second that the bucket gives
	ceiling  float64       // requests a second that the mirror allows
	coolDown time.Duration // how long the whole egress still waits, 0 normally
	hold     time.Duration // how long it is still held by hand, 0 normally
	known    bool          // false when Redis did not answer
}

// display shows a round while it runs: three lines redrawn at a terminal, a
// plain line from time to time otherwise.
type display struct {
	out      io.Writer
	terminal bool
	width    int
	round    string
	limit    func(context.Context) limitUse
	updates  chan round.Progress
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

func newDisplay(out io.Writer, terminal bool, width int, name string, limit func(context.Context) limitUse) *display {
	return &display{out: out, terminal: terminal, width: width, round: name, limit: limit, updates: make(chan round.Progress, 1)}
}

// update hands over the latest progress and never blocks the round: a state
// that was not shown yet is replaced.
func (d *display) update(p round.Progress) {
	select {
	case <-d.updates:
	default:
	}
	d.updates <- p
}

// run draws until the context ends, and once more then.
func (d *display) run(ctx context.Context) {
	m := meter{started: time.Now()}
	m.read(d.limit(ctx), m.started)
	every := plainLine
	if d.terminal {
		every = redraw
	}
	drawing, reading := time.NewTicker(every), time.NewTicker(readLimit)
	defer drawing.Stop()
	defer reading.Stop()
	var latest round.Progress
	drawn := 0
	for {
		select {
		case <-ctx.Done():
			select {
			case latest = <-d.updates:
			default:
			}
			m.read(d.limit(context.WithoutCancel(ctx)), time.Now())
			d.draw(view{round: d.round, progress: latest, meter: m}, drawn)
			return
		case latest = <-d.updates:
		case now := <-reading.C:
			m.read(d.limit(ctx), now)
		case now := <-drawing.C:
			m.now = now
			drawn = d.draw(view{round: d.round, progress: latest, meter: m}, drawn)
		}
	}
}

// draw writes a view over the lines drawn before and returns how many lines
// there are now.
func (d *display) draw(v view, before int) int {
	if !d.terminal {
		fmt.Fprintln(d.out, v.line())
		return 0
	}
	lines := v.lines(d.width)
	var b strings.Builder
	if before > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", before) // up to the first line drawn before
	}
	for _, line := range lines {
		fmt.Fprintf(&b, "\r\x1b[2K%s\n", line) // clear what the line held
	}
	fmt.Fprint(d.out, b.String())
	return len(lines)
}

// meter follows the bucket's count of permits. The share of the limit is
// counted from the first permit on: before it there is nothing to send.
type meter struct {
	started, first, now time.Time
	base                int64 // permits granted before the display began
	last                limitUse
	seen                bool
}

func (m *meter) read(use limitUse, now time.Time) {
	before := m.now
	m.last, m.now = use, now
	switch {
	case !use.known:
	case !m.seen || use.granted < m.base: // the first answer, or the bucket began anew
		m.base, m.seen = use.granted, true
	case m.first.IsZero() && use.granted > m.base:
		m.first = before // not later than that: the share is never shown too high
	}
}

func (m *meter) granted() int64 {
	if !m.seen {
		return 0
	}
	return max(0, m.last.granted-m.base)
}

// share is how much of what the mirror allows was used.
func (m *meter) share() float64 {
	allowed := m.last.ceiling * m.now.Sub(m.first).Seconds()
	if m.first.IsZero() || allowed < 1 {
		return 0
	}
	return float64(m.granted()) / allowed
}

// view is one moment of a round; what it shows is a function of it alone.
type view struct {
	round    string
	progress round.Progress
	meter    meter
}

func (v view) elapsed() time.Duration { return v.meter.now.Sub(v.meter.started) }

func (v view) lines(width int) []string {
	return []string{
		fmt.Sprintf("round   %s   %s", v.round, clock(v.elapsed())),
		"miners  " + bar(v.progress, min(width-60, 24)) + v.miners(),
		"mirror  " + v.mirror(),
	}
}

func (v view) line() string {
	return fmt.Sprintf("%s  miners %s  mirror %s", clock(v.elapsed()), v.miners(), v.mirror())
}

func (v view) miners() string {
	p := v.progress
	s := fmt.Sprintf("%d/%d done, %d failed, %d running, %d queued", p.Done, p.Planned, p.Failed, p.Running, p.Queued)
	if p.Retrying > 0 {
		s += fmt.Sprintf(" (%d to retry)", p.Retrying)
	}
	return s
}

func (v view) mirror() string {
	use := v.meter.last
	if !use.known {
		return "Redis does not answer: nothing is sent"
	}
	s := fmt.Sprintf("%d requests, %.0f %% of the limit", v.meter.granted(), 100*v.meter.share())
	if use.coolDown > 0 {
		s += ", cooling down for " + clock(use.coolDown)
	}
	if use.hold > 0 {
		s += ", held by hand for " + clock(use.hold)
	}
	if eta := v.progress.ETA(use.rate); eta > 0 {
		s += ", ETA " + clock(eta)
	}
	return s
}

// bar is a progress bar of the given width: ended, running, queued.
func bar(p round.Progress, width int) string {
	if p.Planned == 0 || width < 4 {
		return ""
	}
	ended := (p.Done + p.Failed) * width / p.Planned
	running := min((p.Running*width+p.Planned-1)/p.Planned, width-ended)
	return strings.Repeat("█", ended) + strings.Repeat("▒", running) + strings.Repeat("░", width-ended-running) + "  "
}

// clock prints a duration as minutes and seconds.
func clock(d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}
