package page

import (
	"fmt"
	"io"
	"strings"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// The widths of the first two columns, status and check, in characters. A longer check
// name pushes its own text to the right.
const (
	statusWidth = 7
	checkWidth  = 14
)

// Diagnosis prints a paragraph for each finding. Below a warning or a fault it prints what
// to do, with the code to look up in docs/troubleshoot.md.
func Diagnosis(w io.Writer, d doctor.Diagnosis) error {
	p := newPage(w)
	for _, f := range d.Checks {
		status, colour := string(f.Status), terminal.Plain
		switch f.Status {
		case doctor.OK:
		case doctor.Fault:
			status, colour = "FAULT", terminal.Bad // in capitals, to be found without colours too
		case doctor.Warning:
			colour = terminal.Warn
		}
		p.painted(colour, func() {
			p.hangf(fmt.Sprintf("%-*s  %-*s  ", statusWidth, status, checkWidth, f.Check), "%s", f.Text)
			if f.Mend != "" {
				p.hangf(strings.Repeat(" ", statusWidth+checkWidth+4), "to fix (%s): %s", f.Code, f.Mend)
			}
		})
	}
	p.blank()
	switch {
	case d.Faults == 0 && d.Warnings == 0:
		p.linef("All is well.")
	case d.Faults == 0:
		p.linef("No fault, %s.", plural.Of(d.Warnings, "warning"))
	default:
		p.linef("%s, %s.", plural.Of(d.Faults, "fault"), plural.Of(d.Warnings, "warning"))
	}
	return p.writeTo(w)
}
