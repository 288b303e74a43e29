package page

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// moment turns a moment of a round into text.
type moment struct{ view.Moment }

// section is one subject of the display: a head, and the items behind it.
type section struct {
	head  string
	items []string
}

// sections are the display's content, from which both forms are made: the lines of a
// terminal (lines), and the single line of a log (line).
func (m moment) sections() []section {
	list := []section{{"round", append([]string{m.Round}, m.times()...)}}
	if m.Progress.Planned > 0 && m.Sight.StandsBy == "" {
		list = append(list, section{"miners", counts(view.ProgressOf(m.Progress))})
	}
	list = append(list, section{"mirror", m.mirror()})
	for _, note := range m.Notes() {
		list = append(list, section{"note", []string{note}})
	}
	return list
}

// times are the elapsed time and the time that is left.
func (m moment) times() []string {
	times := []string{"elapsed " + view.Clock(cmp.Or(m.Took, m.Now.Sub(m.Started)))}
	switch left := m.Remaining(); {
	case left.Known:
		return append(times, strings.TrimSpace("about "+view.Clock(left.Time)+" left "+left.Why))
	case left.Why != "":
		return append(times, left.Why)
	}
	return times
}

// counts say how many jobs are in each phase.
func counts(p view.RoundProgress) []string {
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
	requests := plural.Of(m.Meter.Granted(), "request")
	if m.Miners != nil { // of a round that was there before
		requests += " since watch began"
	}
	return []string{requests, fmt.Sprintf("%.0f %% of the limit in the last minute", 100*m.Meter.Share())}
}

// short cuts a text of others to 240 characters. The log and `producer failed` have all of
// it.
func short(text string) string { return bounded.Line(text, 240) }

// line is the whole moment in one line, for an output that cannot be redrawn.
func (m moment) line() string {
	var parts []string
	for i, s := range m.sections() {
		if i == 0 { // the first item is the round's name, which does not change
			parts = append(parts, strings.Join(s.items[1:], ", "))
			continue
		}
		parts = append(parts, s.head+" "+strings.Join(s.items, ", "))
	}
	return terminal.Clean(strings.Join(parts, "; "))
}

// headWidth is the column at which the items behind a head begin.
const headWidth = 8

// lines lays the moment out for a terminal. No line is wider than width; what does not fit
// continues on the next line. The progress bar takes the room that the text of the miners
// leaves.
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
	return append(lines, m.minerLines(width)...)
}

// minerLines are one line for each job that has not succeeded, the most interesting first;
// what does not fit a line is cut. A screen that is too low shows the first of them.
func (m moment) minerLines(width int) []string {
	lines := make([]string, 0, len(m.Miners))
	for _, one := range view.Interesting(m.Miners) {
		lines = append(lines, terminal.Cut(minerLine(one), width))
	}
	return lines
}

// minerLine is a miner's job in one line.
func minerLine(m view.MinerNow) string {
	parts := []string{fmt.Sprintf("miner %-4d", m.UID), fmt.Sprintf("%-7s", phaseOf(m))}
	if m.Attempt > 0 {
		parts = append(parts, fmt.Sprintf("attempt %d", m.Attempt))
	}
	for _, part := range []string{m.Worker, cmp.Or(m.Doing, m.Failure)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.TrimRight(terminal.Clean(strings.Join(parts, "  ")), " ")
}

// phaseOf is a job's phase in the words of the display.
func phaseOf(m view.MinerNow) string {
	if m.Phase == job.Planned {
		return "queued"
	}
	return string(m.Phase)
}

// Event prints one event of a round in a line.
func Event(w io.Writer, e view.Event) error {
	text := ""
	switch {
	case e.Miner != nil:
		text = minerLine(*e.Miner)
	case e.Progress != nil:
		text = strings.Join(counts(*e.Progress), ", ")
	case e.End != nil:
		text = ending(e.End)
	}
	return writeLine(w, e.At.UTC().Format("15:04:05")+"  "+text)
}

// ending says how a round stands when nobody follows it any more.
func ending(e *view.Summary) string {
	jobs := fmt.Sprintf("%d/%d done, %d failed, %d degraded", e.Done, e.Planned, e.Failed, e.Degraded)
	switch {
	case e.Revision == 0:
		return fmt.Sprintf("round %s is not running, and has no outcome: %s", e.Round, jobs)
	case e.Complete:
		return fmt.Sprintf("round %s is concluded and complete: %s", e.Round, jobs)
	}
	return fmt.Sprintf("round %s is concluded and not complete: %s", e.Round, jobs)
}

// fill puts items behind a head. An item that does not fit moves to the next line; only an
// item that is longer than a line is broken between its words.
func fill(head string, items []string, width int) []string {
	lines := []string(nil)
	line := head
	empty := true
	add := func(word string) {
		room := width - terminal.Columns(line)
		if !empty {
			room--
		}
		if terminal.Columns(word) > room && !empty {
			lines = append(lines, line)
			line = strings.Repeat(" ", headWidth)
			empty = true
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

// bar is a progress bar of the given width: ended, running, queued. Running jobs are
// rounded up, so that a single one is visible. A bar below 4 columns is left out.
func bar(p round.Progress, width int) string {
	if p.Planned == 0 || width < 4 {
		return ""
	}
	ended := (p.Done + p.Failed) * width / p.Planned
	running := min((p.Running*width+p.Planned-1)/p.Planned, width-ended)
	return strings.Repeat("█", ended) + strings.Repeat("▒", running) + strings.Repeat("░", width-ended-running) + "  "
}
