package page

import (
	"io"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/terminal"
)

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

// printAudit prints the audit's sum, and what does not fit.
func printAudit(p *page, a audit.Report) {
	colour := terminal.Plain
	if !a.Holds() {
		colour = terminal.Bad
	}
	p.painted(colour, func() { p.textf(0, "audit: %s", a) })
	for _, line := range a.Lines() {
		p.textf(2, "%s", line)
	}
}
