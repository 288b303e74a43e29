package page

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// Workers prints each worker process with its jobs.
func Workers(w io.Writer, all view.Workers) error {
	out := newPage(w)
	if len(all.Workers) == 0 {
		out.textf(0, "No worker has shown itself within a day.")
	} else {
		out.headingf("%s", counted(all))
	}
	versions := all.Versions()
	if len(versions) > 1 {
		var each []string
		for _, v := range slices.Sorted(maps.Keys(versions)) {
			each = append(each, fmt.Sprintf("%s (%s)", v, plural.Of(versions[v], "worker")))
		}
		out.painted(terminal.Warn, func() { out.textf(0, "The versions differ: %s.", strings.Join(each, ", ")) })
	}
	for i := range all.Workers {
		out.blank()
		out.worker(&all.Workers[i])
	}
	if len(all.Unreadable) > 0 {
		out.blank()
		out.painted(terminal.Warn, func() {
			out.textf(0, "Signs of life that cannot be read: %s.", strings.Join(all.Unreadable, ", "))
		})
	}
	return out.writeTo(w)
}

// counted says how many workers have each standing.
func counted(all view.Workers) string {
	running := all.Count(view.Working) + all.Count(view.Idle)
	parts := []string{fmt.Sprintf("%s running", plural.Of(running, "worker"))}
	if n := all.Count(view.Silent); n > 0 {
		parts = append(parts, fmt.Sprintf("%d silent", n))
	}
	if n := all.Count(view.Left); n > 0 {
		parts = append(parts, fmt.Sprintf("%d left within a day", n))
	}
	return strings.Join(parts, ", ")
}

// worker prints one process.
func (p *page) worker(w *view.Worker) {
	p.painted(colourOf(w.Standing), func() { p.hangf(w.Name+"  ", "%s", standing(w)) })
	from := ""
	if len(w.Addresses) > 0 {
		from = " at " + strings.Join(w.Addresses, " and ")
	}
	p.textf(2, "version %s, host %s, egress %s%s, %s", w.Version, w.Host, w.Egress, from, plural.Of(w.Slots, "slot"))
	if w.Standing == view.Left {
		return
	}
	if w.Seconds > 0 {
		p.textf(2, "up for %s; %s in %s, %.0f %% of the limit",
			Length(w.Seen.Sub(w.Started).Seconds()), plural.Of(w.Requests, "request"), Length(w.Seconds), 100*w.Share)
	}
	for _, j := range w.Jobs {
		p.job(&j, w.Seen)
	}
}

// standing says whether a process lives, by its signs.
func standing(w *view.Worker) string {
	ago := Length(w.SeenAgo) + " ago"
	switch w.Standing {
	case view.Left:
		return fmt.Sprintf("left %s: %s", ago, w.LastWord)
	case view.Silent:
		return fmt.Sprintf("SILENT: its last sign of life came %s", ago)
	case view.Working:
		return fmt.Sprintf("working, last sign of life %s", ago)
	case view.Idle:
	}
	return fmt.Sprintf("idle, last sign of life %s", ago)
}

func colourOf(s view.Standing) terminal.Colour {
	switch s {
	case view.Silent:
		return terminal.Bad
	case view.Working:
		return terminal.Good
	case view.Left, view.Idle:
	}
	return terminal.Plain
}

// job prints what a worker has in a slot.
func (p *page) job(j *view.WorkerJob, seen time.Time) {
	what := "miner"
	if j.WarmUp {
		what = "warm-up of miner"
	}
	text := fmt.Sprintf("of %s, since %s (%s), %s", j.Round, j.Since.Format("15:04:05"), Length(seen.Sub(j.Since).Seconds()),
		plural.Of(j.Requests, "request"))
	if j.Doing != "" {
		text += ": " + j.Doing
	}
	p.hangf(fmt.Sprintf("  %s %d ", what, j.UID), "%s", text)
}
