package page

import (
	"fmt"
	"io"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/terminal"
)

// Failures prints the miners of a round that failed or lack something, and the command
// that runs them again.
func Failures(w io.Writer, r view.Round) error {
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
	if err := writeFailures(w, heading, r.Failures, r.Replaying); err != nil {
		return err
	}
	p := newPage(w)
	for _, o := range r.CancelOrders {
		p.textf(0, "%s", ordered(o))
	}
	printDamaged(p, r.Damaged)
	if text := wayOut(&r, unknown > 0); text != "" {
		p.textf(0, "%s", text)
	}
	return p.writeTo(w)
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
		return remedy(r.Round, identities)
	}
	return ""
}

// Replay prints what a replay would run.
func Replay(w io.Writer, r view.Replay) error {
	return writeFailures(w, fmt.Sprintf("Round %s: %d would be replayed", r.Round, len(r.Chosen)), r.Chosen, r.Already)
}

// writeFailures prints a heading, and two lines or more for each miner. ended are the
// miners; replaying are the uids that are running again now.
func writeFailures(w io.Writer, heading string, ended []outcome.Failed, replaying []int) error {
	p := newPage(w)
	p.headingf("%s", heading)
	if len(replaying) > 0 {
		p.textf(0, "being replayed: %s", view.Miners(replaying))
	}
	if len(ended) > 0 {
		p.blank()
		p.painted(terminal.Head, func() { p.linef("%6s  %-9s  %8s  %-16s  %s", "UID", "CLASS", "ATTEMPTS", "WORKER", "TRACE") })
	}
	for _, one := range ended {
		colour := terminal.Bad
		if one.Class == outcome.ClassDegraded || one.Class == outcome.ClassIdentity {
			colour = terminal.Warn
		}
		p.painted(colour, func() {
			p.linef("%6d  %-9s  %8d  %-16s  %s", one.UID, one.Class, one.Attempts, clipped(one.Worker, 16), one.Trace)
		})
		p.textf(8, "%s", one.Error)
	}
	return p.writeTo(w)
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
