package page

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// Bucket prints an egress's bucket. did is what a hold or a release has done, printed
// first; "" for none.
func Bucket(w io.Writer, b view.Bucket, did string) error {
	p := bucket{b}
	out := newPage(w)
	line := func(name, format string, args ...any) {
		out.words(fmt.Sprintf("  %-11s ", name), 14, fmt.Sprintf(format, args...))
	}
	if did != "" {
		out.textf(0, "%s", did)
		out.blank()
	}
	text, colour := p.standing()
	out.painted(colour, func() { out.textf(0, "Egress %s: %s", p.Egress, text) })
	out.blank()
	line("rate", "%.3f permits a second, one every %.1f ms; the mirror allows %d in %s", p.Rate, 1000*p.Interval, p.Limit, Length(p.Window))
	line("next slot", "%s; slots are given up to %s ahead (the horizon)", in(p.NextSlotIn), Length(p.Horizon))
	line("hold", "%s%s", forMore(p.Hold), said(p.HeldBy, p.HeldWhy))
	line("cool-down", "%s; since the bucket began: %d", forMore(p.CoolDown), p.CoolDowns)
	line("permits", "%d granted%s; told to ask again later: %d", p.Granted, p.last(), p.Refused)
	line("bucket", "began %s ago; restarts from an unknown state or with other parameters: %d", Length(p.StartedAt), p.Restarts)
	line("Redis", "%s", runID(p.RunID))
	out.blank()
	out.textf(2, "Permits of each 10 s%s:", p.shared())
	p.renderUse(out)
	return out.writeTo(w)
}

// bucket adds to a bucket the words for its state.
type bucket struct{ view.Bucket }

// warnOfOthers points out egresses that are in use and not declared. The words are those
// of docs/run.md#the-limit-by-hand.
func warnOfOthers(out *page, names []string) {
	out.painted(terminal.Bad, func() {
		out.textf(0, "NOT DECLARED: %s. The fleet has no egress of this name, and somebody sends under it: two buckets at one "+
			"address go over the limit. Start the sender with the --egress of its address, or name the egress in the producers' --egresses.",
			strings.Join(names, ", "))
	})
}

// Egresses prints each egress with its bucket.
func Egresses(w io.Writer, l view.Egresses) error {
	out := newPage(w)
	out.headingf("Egresses")
	if len(l.Declared) > 0 {
		out.textf(2, "The fleet has declared %s.", strings.Join(l.Declared, ", "))
	} else {
		out.textf(2, "The egresses that the fleet has declared are unknown: give --nats, once a producer has started.")
	}
	out.blank()
	// A very long name may not push all columns out: it takes half of the page at most.
	width := 0
	for _, e := range l.Egresses {
		width = max(width, min(len(e.Egress), out.width/2))
	}
	for _, e := range l.Egresses {
		text, colour := egress(e)
		out.painted(colour, func() { out.hangf(fmt.Sprintf("  %-*s  ", width, e.Egress), "%s", text) })
	}
	if len(l.Egresses) == 0 {
		out.textf(2, "There is no bucket in this Redis.")
	}
	out.blank()
	addresses(out, l)
	if names := l.Undeclared(); len(names) > 0 {
		warnOfOthers(out, names)
		out.blank()
	}
	out.textf(0, "producer limit --egress NAME shows a bucket in full.")
	return out.writeTo(w)
}

// addresses prints from which public addresses the egresses send, with what does not fit.
func addresses(out *page, l view.Egresses) {
	told := false
	for i := range l.Egresses {
		e := &l.Egresses[i]
		for _, a := range e.Addresses {
			if !told {
				out.headingf("Public addresses")
			}
			told = true
			out.hangf("  "+e.Egress+"  ", "%s: %s", a.Address, plural.Some(a.Processes, 5))
		}
	}
	if told {
		out.blank()
	}
	for _, s := range l.Shared {
		out.painted(terminal.Bad, func() {
			out.textf(0, "ONE ADDRESS, SEVERAL EGRESSES: %s is the address of %s. Each has a bucket of its own, and together they may exceed "+
				"the limit. Give the processes behind one address one --egress.", s.Address, strings.Join(s.Egresses, " and "))
		})
		out.blank()
	}
	for i := range l.Egresses {
		if e := &l.Egresses[i]; e.Split {
			out.painted(terminal.Warn, func() {
				out.textf(0, "One egress, several addresses: processes of %s share one bucket, and a part of the limit is not used. "+
					"Give each address an --egress of its own.", e.Egress)
			})
			out.blank()
		}
	}
}

// egress says how an egress stands, in one sentence.
func egress(e view.Egress) (string, terminal.Colour) {
	if !e.Bucket {
		return "no bucket: nobody has asked for a permit yet", terminal.Plain
	}
	text := fmt.Sprintf("%s, %d of them of the background, last used %s ago", plural.Of(e.Granted, "permit"), e.Background, Length(e.LastUse))
	if e.ShareOf > 0 {
		text += fmt.Sprintf("; %d in the last full %.0f s (%s), %.0f %% of the limit",
			e.LastMinute, e.ShareOf, byClass(e.LastMinute, e.LastMinuteBackground), 100*e.Share)
	}
	stop, colour := stopped(e), terminal.Plain
	if stop != "" {
		colour = terminal.Bad
	}
	if e.Undeclared {
		return text + stop + "; NOT DECLARED", terminal.Bad
	}
	return text + stop, colour
}

// stopped says why an egress sends nothing; "" if nothing stops it.
func stopped(e view.Egress) (text string) {
	if e.CoolDown > 0 {
		text = "; COOLING DOWN " + forMore(e.CoolDown) + ", because the mirror asked for it"
	}
	if e.Hold > 0 {
		text += "; HELD " + forMore(e.Hold) + said(e.HeldBy, e.HeldWhy)
	}
	return text
}

// said is who holds an egress, and why.
func said(by, why string) (text string) {
	if by != "" {
		text = " by " + by
	}
	if why != "" {
		text += ": " + why
	}
	return text
}

// standing is the state of the egress in one phrase.
func (p bucket) standing() (string, terminal.Colour) {
	switch {
	case p.Hold > 0 && p.Hold >= p.CoolDown:
		return "HELD by hand for " + Length(p.Hold) + " more (producer limit --release ends it)", terminal.Bad
	case p.CoolDown > 0:
		return "COOLING DOWN for " + Length(p.CoolDown) + " more, because the mirror asked for it", terminal.Bad
	case p.Flows():
		return "in use", terminal.Good
	}
	return "idle", terminal.Plain
}

// shared is the share of the limit that was used; "" for a bucket that is too young.
func (p bucket) shared() string {
	if p.ShareOf == 0 {
		return ""
	}
	return fmt.Sprintf("; in the last full %.0f s %.0f %% of the limit (%s)",
		p.ShareOf, 100*p.Share, byClass(p.LastMinute, p.LastMinuteBackground))
}

// byClass says to which class permits went.
func byClass(all, background int64) string {
	return fmt.Sprintf("round %d, background %d", all-background, background)
}

// last says when the last permit's slot is or was. LastSlot is negative for a slot that is
// reserved and lies ahead.
func (p bucket) last() string {
	switch {
	case p.Granted == 0:
		return ""
	case p.LastSlot < 0:
		return fmt.Sprintf(", the last one reserved %s ahead", Length(-p.LastSlot))
	}
	return fmt.Sprintf(", the last slot %s ago", Length(p.LastSlot))
}

// renderUse prints the permits of each 10 s, one line for each full minute, oldest first.
// The last cell is still being counted, so it gets a line of its own.
func (p bucket) renderUse(out *page) {
	end := len(p.Use) - 1 // the running cell stands alone
	// The oldest cells are left out if they do not fill a minute.
	for first := end % view.UseRow; first < end; first += view.UseRow {
		var row strings.Builder
		for _, n := range p.Use[first : first+view.UseRow] {
			fmt.Fprintf(&row, "%5d", n)
		}
		out.linef("    %d min ago %s", (end-first)/view.UseRow, row.String())
	}
	if end >= 0 {
		out.linef("    running   %5d", p.Use[end])
	}
}

// Length prints a number of seconds for people: to 0.1 s below a minute, to 1 s above.
func Length(seconds float64) string {
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
	return "in " + Length(seconds)
}

// forMore says how long a hold or a cool-down still lasts.
func forMore(seconds float64) string {
	if seconds <= 0 {
		return "none"
	}
	return "for " + Length(seconds) + " more"
}

// runID prints the id that Redis takes at each start. The bucket begins anew when the id
// changes, because a restart may have lost its last writes. A server may hide the id.
func runID(id string) string {
	if id == "" {
		return "tells no run id"
	}
	return "run id " + id
}
