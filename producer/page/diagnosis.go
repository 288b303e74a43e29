package page

import (
	"fmt"
	"io"
	"strings"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/terminal"
)

// The columns: how grave, which check, what was found.
const (
	statusWidth = 7
	checkWidth  = 14
)

// Diagnosis prints a paragraph for each finding, and what to do below those that
// are not well.
func Diagnosis(w io.Writer, d doctor.Diagnosis) error {
	p := newPage(w)
	for _, f := range d.Checks {
		status, colour := string(f.Status), terminal.Plain
		switch f.Status {
		case doctor.OK:
		case doctor.Fault:
			status, colour = "FAULT", terminal.Bad // it is what is looked for
		case doctor.Warning:
			colour = terminal.Warn
		}
		p.painted(colour, func() {
			p.hangf(fmt.Sprintf("%-*s  %-*s  ", statusWidth, status, checkWidth, f.Check), "%s", f.Text)
			if f.Mend != "" {
				p.hangf(strings.Repeat(" ", statusWidth+checkWidth+4), "to mend (%s): %s", f.Code, f.Mend)
			}
		})
	}
	p.blank()
	switch {
	case d.Faults == 0 && d.Warnings == 0:
		p.linef("All is well.")
	case d.Faults == 0:
		p.linef("No fault; warnings: %d.", d.Warnings)
	default:
		p.linef("Faults: %d; warnings: %d.", d.Faults, d.Warnings)
	}
	return p.writeTo(w)
}
