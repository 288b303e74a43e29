package page

import (
	"io"
	"maps"
	"slices"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// maxNamed is how many discrepancies a page names one by one. A lost bucket can have one for
// each miner, and the first few show which bucket it is.
const maxNamed = 20

// Outcome prints a round's outcome, who signed it, and an audit of the data that is stored now.
func Outcome(w io.Writer, a view.Outcome) error {
	if err := Result(w, a.Result); err != nil {
		return err
	}
	p := newPage(w)
	if len(a.Revisions) > 1 {
		p.textf(0, "Revision %d of %d; --compare shows what it changed.", a.Revision, len(a.Revisions))
	}
	p.textf(0, "%s", view.Signature(a.SignedBy, a.Verified, "give --verify-key"))
	printAudit(p, *a.Audit)
	return p.writeTo(w)
}

// printAudit prints the audit's sum, names each harmful discrepancy, and counts the
// harmless ones by kind. A crash or a lost lease leaves harmless ones, and nothing is lost
// or counted twice by them.
func printAudit(p *page, a audit.Report) {
	colour := terminal.Plain
	if !a.Holds() {
		colour = terminal.Bad
	}
	p.painted(colour, func() { p.textf(0, "audit: %s", a) })
	wrong, harmless := 0, map[audit.Kind]int{}
	for _, d := range a.Discrepancies {
		if d.Harmless {
			harmless[d.Kind]++
			continue
		}
		if wrong++; wrong <= maxNamed {
			p.textf(2, "%s", d)
		}
	}
	if more := wrong - maxNamed; more > 0 {
		p.textf(2, "and %d more", more)
	}
	for _, kind := range slices.Sorted(maps.Keys(harmless)) {
		p.textf(2, "harmless: %s, %s", kind, plural.Of(harmless[kind], "time"))
	}
}
