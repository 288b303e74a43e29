package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"mirrorfleet/producer/doctor"
)

// diagnosis is what `producer doctor` prints.
type diagnosis struct {
	Faults   int              `json:"faults"`
	Warnings int              `json:"warnings"`
	Checks   []doctor.Finding `json:"checks"`
}

func newDiagnosis(found []doctor.Finding) diagnosis {
	return diagnosis{Faults: doctor.Count(found, doctor.Fault), Warnings: doctor.Count(found, doctor.Warning), Checks: found}
}

// The columns: how grave, which check, what was found.
const (
	statusWidth = 7
	checkWidth  = 14
)

// render prints a paragraph for each finding, and what to do below those that
// are not well.
func (d diagnosis) render(w io.Writer) error {
	p := &page{}
	for _, f := range d.Checks {
		status := string(f.Status)
		if f.Status == doctor.Fault {
			status = "FAULT" // it is what is looked for
		}
		p.hangf(fmt.Sprintf("%-*s  %-*s  ", statusWidth, status, checkWidth, f.Check), "%s", f.Text)
		if f.Mend != "" {
			p.hangf(strings.Repeat(" ", statusWidth+checkWidth+4), "to mend (%s): %s", f.Code, f.Mend)
		}
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

// hangf prints words behind a head, over as many lines as they need, all of them
// indented as far as the head is long.
func (p *page) hangf(head, format string, args ...any) {
	margin := strings.Repeat(" ", utf8.RuneCountInString(head))
	line, empty := head, true
	for word := range strings.FieldsSeq(plain(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; "))) {
		switch {
		case empty:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > pageWidth:
			p.linef("%s", line)
			line = margin + word
		default:
			line += " " + word
		}
		empty = false
		// A word longer than a line is broken where the line ends.
		for runes := []rune(line); len(runes) > pageWidth; runes = []rune(line) {
			p.linef("%s", string(runes[:pageWidth]))
			line = margin + string(runes[pageWidth:])
		}
	}
	p.linef("%s", line)
}
