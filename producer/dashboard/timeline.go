package dashboard

import (
	"fmt"
	"html/template"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
)

// timelineChart is a timeline as it is drawn: rows that share one axis.
type timelineChart struct {
	Rows     []timelineRow
	Ticks    []string // what stands at the beginning of each of the axis's parts
	Attempts int
	Usual    bool // some job's usual length is known
	list     view.Timeline
}

// timelineRow is a worker's slot.
type timelineRow struct {
	Worker   string
	Slot     int
	Bars     template.HTML
	Attempts []timelineAttempt
}

type timelineAttempt struct {
	view.TimelineAttempt

	Took string // "" while it runs
}

// timelineStep is how far a running job's bar is drawn to: the next time that the chart is
// rendered it is longer.
const timelineStep = 5 * time.Second

// timelineOf draws a timeline. The axis ends at a round figure, so that the bars of what is
// over keep their places for a while.
func timelineOf(t view.Timeline) timelineChart {
	c := timelineChart{list: t}
	if len(t.Rows) == 0 {
		return c
	}
	now := t.From.Add(t.To.Sub(t.From).Truncate(timelineStep))
	step, parts := axisOf(now.Sub(t.From))
	for i := range parts {
		c.Ticks = append(c.Ticks, took((time.Duration(i) * step).Seconds()))
	}
	for _, row := range t.Rows {
		drawn := timelineRow{Worker: row.Worker, Slot: row.Slot, Bars: c.draw(row, time.Duration(parts)*step, parts, now)}
		for _, a := range row.Attempts {
			took := ""
			if a.Ended != nil {
				took = lasted(&a, now)
			}
			drawn.Attempts = append(drawn.Attempts, timelineAttempt{a, took})
		}
		c.Rows = append(c.Rows, drawn)
		c.Attempts += len(row.Attempts)
	}
	return c
}

// axisOf divides a length of time into three to six parts that are easy to read, with some
// room behind it.
func axisOf(long time.Duration) (step time.Duration, parts int) {
	long += long / 20
	for _, step = range []time.Duration{
		10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute,
		30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
	} {
		if long < 6*step {
			break
		}
	}
	return step, max(3, int(long/step)+1)
}

const (
	timelineWidth  = 1000
	timelineHeight = 16
)

func (c *timelineChart) draw(row view.TimelineRow, whole time.Duration, parts int, now time.Time) template.HTML {
	label := fmt.Sprintf("Worker %s, slot %d: %s", row.Worker, row.Slot, plural.Of(len(row.Attempts), "attempt"))
	d := draw("lane", label, timelineWidth, timelineHeight)
	at := func(instant time.Time) float64 {
		return min(float64(instant.Sub(c.list.From))/float64(whole), 1) * timelineWidth
	}
	for i := range parts {
		x := float64(i) / float64(parts) * timelineWidth
		d.line("axis", x, 0, x, timelineHeight)
	}
	for i := range row.Attempts {
		a := &row.Attempts[i]
		if a.Usual > 0 {
			c.Usual = true
			d.rect("rest", at(a.Began), 0, at(a.Began.Add(a.Usual))-at(a.Began), timelineHeight, "")
		}
	}
	for i := range row.Attempts {
		a := &row.Attempts[i]
		const minWide, gap = 2, 1.5 // so that the shortest can be seen, and two apart
		d.rect(attemptClass(a.Ending), at(a.Began), 3, max(at(a.Over(now))-at(a.Began)-gap, minWide), timelineHeight-6, attemptTitle(a, now))
	}
	return d.html()
}

func attemptClass(how job.Ending) string {
	switch how {
	case view.AttemptRunning:
		return "fill-accent"
	case job.EndedCommitted:
		return "fill-good"
	case job.EndedDegraded:
		return "fill-warn"
	case job.EndedHandedBack:
		return "fill-muted"
	default: // failed, lapsed, or ended by somebody else
		return "fill-bad"
	}
}

func lasted(a *view.TimelineAttempt, now time.Time) string {
	return took(a.Over(now).Sub(a.Began).Seconds())
}

func attemptTitle(a *view.TimelineAttempt, now time.Time) string {
	text := fmt.Sprintf("Miner %d, attempt %d: %s", a.UID, a.Number, a.Ending)
	if a.Ended != nil {
		text += ", " + lasted(a, now)
	}
	if a.Usual > 0 {
		text += ", usually " + took(a.Usual.Seconds())
	}
	return text
}
