package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/ratelimit"
)

// limitPage is an egress's bucket as `producer limit` prints it.
type limitPage struct{ answer.Bucket }

func newLimitPage(s ratelimit.State) limitPage { return limitPage{answer.BucketOf(s)} }

func (p limitPage) render(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "Egress %s: %s\n\n", p.Egress, p.standing())
	line("rate", "%.3f permits a second, one each %.1f ms; the mirror allows %d in %s", p.Rate, 1000*p.Interval, p.Limit, length(p.Window))
	line("next slot", "%s; slots are given up to %s ahead (the horizon)", in(p.NextSlotIn), length(p.Horizon))
	line("hold", "%s", forMore(p.Hold))
	line("cool-down", "%s; since the bucket began: %d", forMore(p.CoolDown), p.CoolDowns)
	line("permits", "%d granted%s; told to ask again later: %d times", p.Granted, p.last(), p.Refused)
	line("bucket", "began %s ago; starts from an unknown state or with other figures: %d", length(p.StartedAt), p.Restarts)
	line("Redis", "%s", runID(p.RunID))
	line("waiting", "%s", p.waiting())
	for i, waiter := range p.Waiting {
		if i == mostWaiters {
			fmt.Fprintf(&b, "    and %d processes more\n", len(p.Waiting)-mostWaiters)
			break
		}
		fmt.Fprintf(&b, "    %-20s %3d requests, %s without a permit\n", waiter.Process, waiter.Requests, length(waiter.For))
	}
	fmt.Fprintf(&b, "\n  Permits of each 10 s%s:\n", p.shared())
	p.renderUse(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// mostWaiters keeps the page on one screen; --json has all.
const mostWaiters = 10

// standing is the egress in a word.
func (p limitPage) standing() string {
	switch {
	case p.Hold > 0 && p.Hold >= p.CoolDown:
		return "HELD by hand for " + length(p.Hold) + " more (producer limit --release ends it)"
	case p.CoolDown > 0:
		return "COOLING DOWN for " + length(p.CoolDown) + " more, because the mirror asked for it"
	case len(p.Waiting) > 0:
		return "in use"
	}
	return "idle"
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

func (p limitPage) waiting() string {
	if len(p.Waiting) == 0 {
		return "nobody"
	}
	var requests int64
	for _, w := range p.Waiting {
		requests += w.Requests
	}
	return fmt.Sprintf("%d processes with %d requests", len(p.Waiting), requests)
}

// renderUse prints a line for each minute, the running one last.
func (p limitPage) renderUse(b *strings.Builder) {
	end := len(p.Use) - 1 // the running cell stands alone
	for first := end % answer.UseRow; first < end; first += answer.UseRow {
		fmt.Fprintf(b, "    %d min ago ", (end-first)/answer.UseRow)
		for _, n := range p.Use[first : first+answer.UseRow] {
			fmt.Fprintf(b, "%5d", n)
		}
		b.WriteByte('\n')
	}
	if end >= 0 {
		fmt.Fprintf(b, "    running   %5d\n", p.Use[end])
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
