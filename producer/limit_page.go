package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/terminal"
)

// limitPage is an egress's bucket as `producer limit` prints it. Lengths are
// seconds.
type limitPage struct {
	Egress string `json:"egress"`

	Rate     float64 `json:"rate"` // permits a second
	Interval float64 `json:"interval"`
	Limit    int     `json:"limit_requests"`
	Window   float64 `json:"limit_window"`
	Horizon  float64 `json:"limit_horizon"`

	NextSlotIn float64 `json:"next_slot_in"`
	Hold       float64 `json:"hold"`
	CoolDown   float64 `json:"cool_down"`
	CoolDowns  int64   `json:"cool_downs"`

	Granted   int64   `json:"granted"`
	Refused   int64   `json:"refused"`
	LastSlot  float64 `json:"last_slot_ago"` // negative: it lies ahead
	Restarts  int64   `json:"restarts"`
	StartedAt float64 `json:"started_ago"`
	RunID     string  `json:"redis_run_id"`

	Waiting []limitWaiter `json:"waiting"`
	// Use is the permits of each ten seconds, the running one last. Share is the
	// part of the limit that was used in ShareOf: the last full minute, or less
	// of it when the bucket is younger.
	Use     []int64 `json:"use_of_10s"`
	Share   float64 `json:"share_of_limit"`
	ShareOf float64 `json:"share_of"`
}

// limitWaiter is one process that waits.
type limitWaiter struct {
	Process  string  `json:"process"`
	Requests int64   `json:"requests"`
	For      float64 `json:"waiting_for"`
}

func newLimitPage(s ratelimit.State) limitPage {
	p := limitPage{
		Egress: s.Egress, Rate: s.Rate, Interval: s.Interval.Seconds(), Limit: s.Limit, Window: s.Window.Seconds(),
		Horizon: s.Horizon.Seconds(), NextSlotIn: s.NextIn.Seconds(), Hold: s.Hold.Seconds(), CoolDown: s.CoolDown.Seconds(),
		CoolDowns: s.CoolDowns, Granted: s.Granted, Refused: s.Refused, LastSlot: s.LastGrant.Seconds(),
		Restarts: s.Restarts, StartedAt: s.Age.Seconds(), RunID: s.RunID, Use: s.Use, Waiting: []limitWaiter{},
	}
	for _, w := range s.Waiting {
		p.Waiting = append(p.Waiting, limitWaiter{w.Process, w.Requests, w.For.Seconds()})
	}
	p.Share, p.ShareOf = p.share()
	return p
}

// share looks at the cells that are over and that the bucket has lived through.
func (p limitPage) share() (share, of float64) {
	over := len(p.Use) - 1
	cells := min(useRow, over, int(p.StartedAt/useCell)-1)
	if cells < 1 || p.Limit < 1 {
		return 0, 0
	}
	var used int64
	for _, n := range p.Use[over-cells : over] {
		used += n
	}
	of = float64(cells * useCell)
	return float64(used) / (float64(p.Limit) / p.Window * of), of
}

// A row of use is a minute, six cells of ten seconds.
const useRow, useCell = 6, 10

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
	line("waiting", "%s", p.waiting())
	for i, waiter := range p.Waiting {
		if i == mostWaiters {
			out.linef("    and %d processes more", len(p.Waiting)-mostWaiters)
			break
		}
		out.linef("    %-20s %3d requests, %s without a permit", waiter.Process, waiter.Requests, length(waiter.For))
	}
	out.blank()
	out.textf(2, "Permits of each 10 s%s:", p.shared())
	p.renderUse(out)
	return out.writeTo(w)
}

// mostWaiters keeps the page on one screen; --json has all.
const mostWaiters = 10

// standing is the egress in a word.
func (p limitPage) standing() (string, terminal.Colour) {
	switch {
	case p.Hold > 0 && p.Hold >= p.CoolDown:
		return "HELD by hand for " + length(p.Hold) + " more (producer limit --release ends it)", terminal.Bad
	case p.CoolDown > 0:
		return "COOLING DOWN for " + length(p.CoolDown) + " more, because the mirror asked for it", terminal.Bad
	case len(p.Waiting) > 0:
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
func (p limitPage) renderUse(out *page) {
	end := len(p.Use) - 1 // the running cell stands alone
	for first := end % useRow; first < end; first += useRow {
		var row strings.Builder
		for _, n := range p.Use[first : first+useRow] {
			fmt.Fprintf(&row, "%5d", n)
		}
		out.linef("    %d min ago %s", (end-first)/useRow, row.String())
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
