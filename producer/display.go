package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/ratelimit"
)

// display shows a round while it runs: three lines redrawn at a terminal, a
// plain line from time to time otherwise.
type display struct {
	out      io.Writer
	terminal bool
	width    int
	round    string
	limit    func(context.Context) (ratelimit.State, error)
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

func newDisplay(out io.Writer, terminal bool, width int, name string, limit func(context.Context) (ratelimit.State, error)) *display {
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
	d.look(ctx, &m, m.started)
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
			d.look(context.WithoutCancel(ctx), &m, time.Now())
			d.draw(view{round: d.round, progress: latest, meter: m}, drawn)
			return
		case latest = <-d.updates:
		case now := <-reading.C:
			d.look(ctx, &m, now)
		case now := <-drawing.C:
			m.now = now
			drawn = d.draw(view{round: d.round, progress: latest, meter: m}, drawn)
		}
	}
}

// look asks the bucket.
func (d *display) look(ctx context.Context, m *meter, now time.Time) {
	state, err := d.limit(ctx)
	m.read(state, err == nil, now)
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
	last                ratelimit.State
	answers             bool // Redis did, the last time
	seen                bool
}

func (m *meter) read(state ratelimit.State, answers bool, now time.Time) {
	before := m.now
	m.last, m.answers, m.now = state, answers, now
	switch {
	case !answers:
	case !m.seen || state.Granted < m.base: // the first answer, or the bucket began anew
		m.base, m.seen = state.Granted, true
	case m.first.IsZero() && state.Granted > m.base:
		m.first = before // not later than that: the share is never shown too high
	}
}

func (m *meter) granted() int64 {
	if !m.seen {
		return 0
	}
	return max(0, m.last.Granted-m.base)
}

// share is how much of what the mirror allows was used.
func (m *meter) share() float64 {
	allowed := float64(m.last.Limit) / m.last.Window.Seconds() * m.now.Sub(m.first).Seconds()
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

// lines are at most as wide as the terminal: of a line that wraps, each redraw
// would leave a part behind. The bar takes what the text leaves; where even the
// text is too wide, it is cut.
func (v view) lines(width int) []string {
	const head, gap = "miners  ", 2
	miners := v.miners()
	lines := []string{
		fmt.Sprintf("round   %s   %s", v.round, clock(v.elapsed())),
		head + bar(v.progress, min(width-len(head)-gap-len(miners), 24)) + miners,
		"mirror  " + v.mirror(),
	}
	for i, line := range lines {
		if text := []rune(line); width > 0 && len(text) > width {
			lines[i] = string(text[:width-1]) + "…"
		}
	}
	return lines
}

func (v view) line() string {
	return fmt.Sprintf("%s  miners %s  mirror %s", clock(v.elapsed()), v.miners(), v.mirror())
}

func (v view) miners() string {
	p := v.progress
	degraded := ""
	if p.Degraded > 0 {
		degraded = fmt.Sprintf(" (%d degraded)", p.Degraded)
	}
	s := fmt.Sprintf("%d/%d done%s, %d failed, %d running, %d queued", p.Done, p.Planned, degraded, p.Failed, p.Running, p.Queued)
	if p.Retrying > 0 {
		s += fmt.Sprintf(" (%d to retry)", p.Retrying)
	}
	return s
}

func (v view) mirror() string {
	bucket := v.meter.last
	if !v.meter.answers {
		return "Redis does not answer: nothing is sent"
	}
	s := fmt.Sprintf("%s, %.0f %% of the limit", plural.Of(v.meter.granted(), "request"), 100*v.meter.share())
	if bucket.CoolDown > 0 {
		s += ", cooling down for " + clock(bucket.CoolDown)
	}
	if bucket.Hold > 0 {
		s += ", held by hand for " + clock(bucket.Hold)
	}
	if eta := v.progress.ETA(bucket.Rate); eta > 0 {
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
