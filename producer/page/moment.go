package page

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// moment is a moment of a round as it is shown.
type moment struct{ view.Moment }

// section is one thing that is told: a head, and what there is to say of it.
type section struct {
	head  string
	items []string
}

func (m moment) sections() []section {
	list := []section{{"round", append([]string{m.Round}, m.times()...)}}
	if m.Progress.Planned > 0 && m.Sight.StandsBy == "" {
		list = append(list, section{"miners", m.miners()})
	}
	list = append(list, section{"mirror", m.mirror()})
	for _, note := range m.notes() {
		list = append(list, section{"note", []string{note}})
	}
	return list
}

// times are what is gone and what is left.
func (m moment) times() []string {
	times := []string{"elapsed " + clock(m.Now.Sub(m.Started))}
	switch p := m.Progress; {
	case m.Sight.StandsBy != "":
		return times
	case p.Planned == 0:
		return append(times, "beginning")
	case p.Outstanding() == 0:
		return append(times, "every job has ended: concluding")
	case !m.Silent.IsZero():
		return append(times, "time left not known")
	}
	left, known := m.Left()
	switch {
	case !known:
		return append(times, "time left not known yet")
	case m.Redis != nil:
		return append(times, "about "+clock(left)+" left once Redis grants permits")
	case m.Sight.Workers.None:
		return append(times, "about "+clock(left)+" left once a worker takes its jobs")
	}
	return append(times, "about "+clock(max(left, time.Second))+" left")
}

func (m moment) miners() []string {
	p := m.Progress
	done, queued := fmt.Sprintf("%d/%d done", p.Done, p.Planned), fmt.Sprintf("%d queued", p.Queued)
	if p.Degraded > 0 {
		done += fmt.Sprintf(" (%d degraded)", p.Degraded)
	}
	if p.Retrying > 0 {
		queued += fmt.Sprintf(" (%d to retry)", p.Retrying)
	}
	return []string{done, fmt.Sprintf("%d failed", p.Failed), fmt.Sprintf("%d running", p.Running), queued}
}

func (m moment) mirror() []string {
	if m.Redis != nil {
		return []string{"nothing is sent: " + short(m.Redis.Error())}
	}
	return []string{
		plural.Of(m.Meter.Granted(), "request"), fmt.Sprintf("%.0f %% of the limit in the last minute", 100*m.Meter.Share()),
	}
}

// notes are why the round does not go on, or not as fast as it could.
func (m moment) notes() (notes []string) {
	note := func(when bool, format string, args ...any) {
		if when {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	p, workers := m.Progress, m.Sight.Workers
	note(m.Sight.StandsBy != "", "standing by: producer %s runs the round, and this one takes over when that one goes", m.Sight.StandsBy)
	if m.NATS != nil {
		notes = append(notes, short(m.NATS.Error()),
			"NATS has confirmed nothing for "+clock(m.Now.Sub(m.Silent))+": what is shown is from before")
	}
	open := m.Sight.StandsBy == "" && m.Silent.IsZero()
	note(open && workers.None, "no worker takes the round's jobs: %s",
		cmp.Or(short(workers.Why), "none has shown itself for "+clock(m.Now.Sub(workers.Since))))
	note(m.Bucket.CoolDown > 0, "the egress cools down for another %s: the mirror asked for a pause", clock(m.Bucket.CoolDown))
	note(m.Bucket.Hold > 0, "the egress is held by hand for another %s (producer limit --release ends it)", clock(m.Bucket.Hold))
	note(open && p.Stalled > 0, "the mirror does not answer (%s): %d of %d running jobs wait, and it is asked again %s",
		short(p.Stall), p.Stalled, p.Running, soon(p.Asked.Sub(m.Now)))
	note(open && p.Retrying > 0, "the next retry is due %s; it failed with: %s", soon(p.NextRetry.Sub(m.Now)), short(p.Trouble))
	return notes
}

// short cuts what others say: the log and the failures have all of it.
func short(text string) string {
	const limit = 240
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit-1]) + "…"
	}
	return text
}

// soon is when something comes.
func soon(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return "in " + clock(d)
}

// line is the moment where nothing is drawn again.
func (m moment) line() string {
	var parts []string
	for i, s := range m.sections() {
		if i == 0 { // the name of the round does not change
			parts = append(parts, strings.Join(s.items[1:], ", "))
			continue
		}
		parts = append(parts, s.head+" "+strings.Join(s.items, ", "))
	}
	return terminal.Clean(strings.Join(parts, "; "))
}

// headWidth is the column in which what is said of a head begins.
const headWidth = 8

// lines are at most as wide as the terminal; what does not fit goes on below. The
// bar takes what the text of the miners leaves of a line.
func (m moment) lines(width int) []string {
	var lines []string
	for _, s := range m.sections() {
		head := fmt.Sprintf("%-*s", headWidth, s.head)
		if s.head == "miners" {
			const gap, widest = 2, 24
			text := strings.Join(s.items, ", ")
			head += bar(m.Progress, min(width-headWidth-gap-terminal.Columns(text), widest))
		}
		lines = append(lines, fill(head, s.items, width)...)
	}
	return lines
}

// fill fills lines with items behind a head. An item goes on in the next line if it
// does not fit, and is broken between words only if it fits into none.
func fill(head string, items []string, width int) []string {
	lines, line, empty := []string(nil), head, true
	add := func(word string) {
		room := width - terminal.Columns(line)
		if !empty {
			room--
		}
		if terminal.Columns(word) > room && !empty {
			lines, line, empty = append(lines, line), strings.Repeat(" ", headWidth), true
			room = width - headWidth
		}
		if !empty {
			line += " "
		}
		line, empty = line+terminal.Cut(word, room), false
	}
	for i, item := range items {
		item = terminal.Clean(item)
		if i < len(items)-1 {
			item += ","
		}
		if terminal.Columns(item) <= width-headWidth {
			add(item)
			continue
		}
		for word := range strings.FieldsSeq(item) {
			add(word)
		}
	}
	return append(lines, line)
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

// clock prints a duration as minutes and seconds, with hours where there are any.
func clock(d time.Duration) string {
	seconds := int(max(d, 0).Round(time.Second).Seconds())
	if hours := seconds / 3600; hours > 0 {
		return fmt.Sprintf("%d:%02d:%02d", hours, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}
