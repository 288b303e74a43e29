package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/terminal"
)

// limitPage is an egress's bucket as `producer limit` prints it.
type limitPage struct{ answer.Bucket }

func (p limitPage) render(w io.Writer) error {
	out := newPage(w)
	line := func(name, format string, args ...any) {
		out.words(fmt.Sprintf("  %-11s ", name), 14, fmt.Sprintf(format, args...))
	}
	text, colour := p.standing()
	out.painted(colour, func() { out.textf(0, "Egress %s: %s", p.Egress, text) })
	out.blank()
	line("rate", "%.3f permits a second, one each %.1f ms; the mirror allows %d in %s", p.Rate, 1000*p.Interval, p.Limit, length(p.Window))
	line("next slot", "%s; slots are given up to %s ahead (the horizon)", in(p.NextSlotIn), length(p.Horizon))
	line("hold", "%s", forMore(p.Hold))
	line("cool-down", "%s; since the bucket began: %d", forMore(p.CoolDown), p.CoolDowns)
	line("permits", "%d granted%s; told to ask again later: %d times", p.Granted, p.last(), p.Refused)
	line("bucket", "began %s ago; starts from an unknown state or with other figures: %d", length(p.StartedAt), p.Restarts)
	line("Redis", "%s", runID(p.RunID))
	out.blank()
	out.textf(2, "Permits of each 10 s%s:", p.shared())
	p.renderUse(out)
	return out.writeTo(w)
}

// standing is the egress in a word.
func (p limitPage) standing() (string, terminal.Colour) {
	switch {
	case p.Hold > 0 && p.Hold >= p.CoolDown:
		return "HELD by hand for " + length(p.Hold) + " more (producer limit --release ends it)", terminal.Bad
	case p.CoolDown > 0:
		return "COOLING DOWN for " + length(p.CoolDown) + " more, because the mirror asked for it", terminal.Bad
	case p.Granted > 0 && p.LastSlot < p.Horizon: // whoever waits asks at least once a horizon
		return "in use", terminal.Good
	}
	return "idle", terminal.Plain
}

func (p limitPage) shared() string {
	if p.ShareOf == 0 {
		return ""
	}
	return fmt.Sprintf("; %.0f %% of the limit in the last full %.0f s", 100*p.Share, p.ShareOf)
}

func (p limitPage) last() string {
	switch {
	case p.Granted == 0:
		return ""
	case p.LastSlot < 0:
		return fmt.Sprintf(", the last one reserved %s ahead", length(-p.LastSlot))
	}
	return fmt.Sprintf(", the last slot %s ago", length(p.LastSlot))
}

// renderUse prints a line for each minute, the running one last.
func (p limitPage) renderUse(out *page) {
	end := len(p.Use) - 1 // the running cell stands alone
	for first := end % answer.UseRow; first < end; first += answer.UseRow {
		var row strings.Builder
		for _, n := range p.Use[first : first+answer.UseRow] {
			fmt.Fprintf(&row, "%5d", n)
		}
		out.linef("    %d min ago %s", (end-first)/answer.UseRow, row.String())
	}
	if end >= 0 {
		out.linef("    running   %5d", p.Use[end])
	}
}

// length prints seconds as people read them.
func length(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

func in(seconds float64) string {
	if seconds <= 0 {
		return "now"
	}
	return "in " + length(seconds)
}

func forMore(seconds float64) string {
	if seconds <= 0 {
		return "none"
	}
	return "for " + length(seconds) + " more"
}

func runID(id string) string {
	if id == "" {
		return "tells no run id"
	}
	return "run id " + id
}
