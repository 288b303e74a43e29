package page

import (
	"fmt"
	"io"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// maxInFull is how many failed miners are listed one by one without being asked for.
// maxGroups, maxUIDs and maxText are how many groups, uids of one group, and characters
// of its text a page has, so that it fits a screen.
const (
	maxInFull = 12
	maxGroups = 8
	maxUIDs   = 10
	maxText   = 140
)

// Failures prints the miners of a round that failed or lack something, by what their
// failures have in common and, if they are few, one by one; and the command that runs them
// again.
func Failures(w io.Writer, r view.Round) error {
	p, identities := failuresPage(w, &r)
	printFailed(p, &r, identities)
	return p.writeTo(w)
}

// printFailed prints what Failures does below its heading.
func printFailed(p *page, r *view.Round, identities bool) {
	few := len(r.Failures) <= maxInFull
	grouped := !few || len(r.Groups) < len(r.Failures)
	if grouped {
		printGroups(p, r.Groups)
	}
	if few {
		printFailures(p, r.Failures)
	}
	printDamaged(p, r.Damaged)
	if text := wayOut(r, identities); text != "" {
		p.textf(0, "%s", text)
	}
	if grouped {
		p.textf(0, "producer failed %s --like KEY lists a group whole", r.Round)
		p.textf(0, "producer replay %s --like KEY%s runs a group again", r.Round, underRules(r.PlannedRules))
	}
}

// FailuresLike prints every miner of the one group that the round was reduced to, and the
// command that runs the group again.
func FailuresLike(w io.Writer, r view.Round) error {
	p, _ := failuresPage(w, &r)
	printGroups(p, r.Groups)
	printFailures(p, r.Failures)
	if r.State == view.Concluded && len(r.Groups) == 1 {
		p.textf(0, "Remedy: producer replay %s --like %s%s", r.Round, r.Groups[0].Key, underRules(r.PlannedRules))
	}
	return p.writeTo(w)
}

// failuresPage begins a page about a round's failures, and reports whether any of them is an
// unknown identity.
func failuresPage(w io.Writer, r *view.Round) (p *page, identities bool) {
	unknown := 0
	for _, one := range r.Failures {
		if one.Class == outcome.ClassIdentity {
			unknown++
		}
	}
	heading := fmt.Sprintf("Round %s: %d failed, %d degraded, %d outstanding", r.Round, r.Failed, r.Degraded, r.Outstanding)
	if unknown > 0 {
		heading += fmt.Sprintf(", %d of unknown identity", unknown)
	}
	p = newPage(w)
	p.headingf("%s", heading)
	printReplaying(p, r.Replaying)
	for _, o := range r.CancelOrders {
		p.textf(0, "%s", ordered(o))
	}
	return p, unknown > 0
}

// printGroups prints each group of failures: its key, its miners, and what they have in
// common.
func printGroups(p *page, groups []outcome.Group) {
	p.blank()
	p.painted(terminal.Head, func() { p.linef("%8s  %-9s  %6s  %s", "KEY", "CLASS", "MINERS", "UIDS") })
	for i := range groups[:min(len(groups), maxGroups)] {
		g := &groups[i]
		p.painted(failureColour(g.Class), func() {
			p.hangf(fmt.Sprintf("%8s  %-9s  %6d  ", g.Key, g.Class, len(g.UIDs)), "%s", plural.Some(g.UIDs, maxUIDs))
		})
		p.textf(8, "%s", bounded.Line(g.Text, maxText))
	}
	if more := groups[min(len(groups), maxGroups):]; len(more) > 0 {
		miners := 0
		for i := range more {
			miners += len(more[i].UIDs)
		}
		p.textf(0, "and %s of %s: --json lists all", plural.Of(len(more), "smaller group"), plural.Of(miners, "miner"))
	}
}

func failureColour(class job.Class) terminal.Colour {
	if class == outcome.ClassDegraded || class == outcome.ClassIdentity {
		return terminal.Warn
	}
	return terminal.Bad
}

// wayOut names the command that helps a round; "" if it lacks nothing, or while a producer
// works on it.
func wayOut(r *view.Round, identities bool) string {
	switch {
	case r.State == view.Stopped:
		return "No producer runs the round: producer run --resume " + r.Round + " resumes it."
	case r.State == view.Damaged:
		return "Its last outcome cannot be read: producer run --resume " + r.Round + " makes it again."
	case r.State == view.Concluded && len(r.Failures) > 0:
		return remedy(r.Round, r.PlannedRules, identities)
	}
	return ""
}

// Replay prints what a replay would run.
func Replay(w io.Writer, r view.Replay) error {
	p := newPage(w)
	p.headingf("Round %s: %d would run again", r.Round, len(r.Chosen))
	printReplaying(p, r.Already)
	printFailures(p, r.Chosen)
	return p.writeTo(w)
}

// printReplaying prints the uids that are running again now.
func printReplaying(p *page, uids []int) {
	if len(uids) > 0 {
		p.textf(0, "being replayed: %s", view.Miners(uids))
	}
}

// printFailures prints two lines or more for each miner.
func printFailures(p *page, ended []outcome.Failed) {
	if len(ended) > 0 {
		p.blank()
		p.painted(terminal.Head, func() { p.linef("%6s  %-9s  %8s  %-16s  %s", "UID", "CLASS", "ATTEMPTS", "WORKER", "TRACE") })
	}
	for _, one := range ended {
		p.painted(failureColour(one.Class), func() {
			p.linef("%6d  %-9s  %8d  %-16s  %s", one.UID, one.Class, one.Attempts, clipped(one.Worker, 16), one.Trace)
		})
		p.textf(8, "%s", one.Error)
	}
}

// clipped shortens a worker's name to limit characters. It keeps the end, which tells
// processes of one host apart.
func clipped(name string, limit int) string {
	runes := []rune(name)
	if len(runes) <= limit {
		return name
	}
	return "…" + string(runes[len(runes)-limit+1:])
}
