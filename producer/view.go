package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/terminal"
)

// view is one moment of a round; what it shows is a function of it alone.
type view struct {
	round        string
	started, now time.Time
	progress     round.Progress
	sight        round.Sight
	meter        *estimate.Meter
	bucket       ratelimit.State
	// redis is why no permit would be granted, nil when one would.
	redis error
	// nats is what is wrong with NATS, and silent since when it has confirmed nothing.
	nats   error
	silent time.Time
}

// section is one thing that is told: a head, and what there is to say of it.
type section struct {
	head  string
	items []string
}

func (v view) sections() []section {
	list := []section{{"round", append([]string{v.round}, v.times()...)}}
	if v.progress.Planned > 0 && v.sight.StandsBy == "" {
		list = append(list, section{"miners", v.miners()})
	}
	list = append(list, section{"mirror", v.mirror()})
	for _, note := range v.notes() {
		list = append(list, section{"note", []string{note}})
	}
	return list
}

// times are what is gone and what is left.
func (v view) times() []string {
	times := []string{"elapsed " + clock(v.now.Sub(v.started))}
	switch p := v.progress; {
	case v.sight.StandsBy != "":
		return times
	case p.Planned == 0:
		return append(times, "beginning")
	case p.Outstanding() == 0:
		return append(times, "every job has ended: concluding")
	case !v.silent.IsZero():
		return append(times, "time left not known")
	}
	left, known := v.progress.Work.Left(v.now, v.meter, v.rest())
	switch {
	case !known:
		return append(times, "time left not known yet")
	case v.redis != nil:
		return append(times, "about "+clock(left)+" left once Redis grants permits")
	case v.sight.Workers.None:
		return append(times, "about "+clock(left)+" left once a worker takes its jobs")
	}
	return append(times, "about "+clock(max(left, time.Second))+" left")
}

// rest is how long nothing can be sent.
func (v view) rest() time.Duration {
	rest := max(v.bucket.CoolDown, v.bucket.Hold)
	if v.stalled() {
		rest = max(rest, v.progress.Asked.Sub(v.now))
	}
	return rest
}

// stalled says whether all that runs waits for the mirror.
func (v view) stalled() bool {
	return v.progress.Stalled > 0 && v.progress.Stalled == v.progress.Running
}

func (v view) miners() []string {
	p := v.progress
	done, queued := fmt.Sprintf("%d/%d done", p.Done, p.Planned), fmt.Sprintf("%d queued", p.Queued)
	if p.Degraded > 0 {
		done += fmt.Sprintf(" (%d degraded)", p.Degraded)
	}
	if p.Retrying > 0 {
		queued += fmt.Sprintf(" (%d to retry)", p.Retrying)
	}
	return []string{done, fmt.Sprintf("%d failed", p.Failed), fmt.Sprintf("%d running", p.Running), queued}
}

func (v view) mirror() []string {
	if v.redis != nil {
		return []string{"nothing is sent: " + short(v.redis.Error())}
	}
	return []string{
		plural.Of(v.meter.Granted(), "request"), fmt.Sprintf("%.0f %% of the limit in the last minute", 100*v.meter.Share()),
	}
}

// notes are why the round does not go on, or not as fast as it could.
func (v view) notes() (notes []string) {
	note := func(when bool, format string, args ...any) {
		if when {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	p, workers := v.progress, v.sight.Workers
	note(v.sight.StandsBy != "", "standing by: producer %s runs the round, and this one takes over when that one goes", v.sight.StandsBy)
	if v.nats != nil {
		notes = append(notes, short(v.nats.Error()),
			"NATS has confirmed nothing for "+clock(v.now.Sub(v.silent))+": what is shown is from before")
	}
	open := v.sight.StandsBy == "" && v.silent.IsZero()
	note(open && workers.None, "no worker takes the round's jobs: %s",
		cmp.Or(short(workers.Why), "none has shown itself for "+clock(v.now.Sub(workers.Since))))
	note(v.bucket.CoolDown > 0, "the egress cools down for another %s: the mirror asked for a pause", clock(v.bucket.CoolDown))
	note(v.bucket.Hold > 0, "the egress is held by hand for another %s (producer limit --release ends it)", clock(v.bucket.Hold))
	note(open && p.Stalled > 0, "the mirror does not answer (%s): %d of %d running jobs wait, and it is asked again %s",
		short(p.Stall), p.Stalled, p.Running, soon(p.Asked.Sub(v.now)))
	note(open && p.Retrying > 0, "the next retry is due %s; it failed with: %s", soon(p.NextRetry.Sub(v.now)), short(p.Trouble))
	return notes
}

// short cuts what others say: the log and the failures have all of it.
func short(text string) string {
	const most = 240
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
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

// line is the view where nothing is drawn again.
func (v view) line() string {
	var parts []string
	for i, s := range v.sections() {
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
func (v view) lines(width int) []string {
	var lines []string
	for _, s := range v.sections() {
		head := fmt.Sprintf("%-*s", headWidth, s.head)
		if s.head == "miners" {
			const gap, widest = 2, 24
			text := strings.Join(s.items, ", ")
			head += bar(v.progress, min(width-headWidth-gap-terminal.Columns(text), widest))
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
