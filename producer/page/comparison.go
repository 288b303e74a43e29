package page

import (
	"fmt"
	"io"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// Comparison prints what a revision changed: for each miner a line of scores and one with
// the reason.
func Comparison(w io.Writer, c outcome.Comparison) error {
	p := newPage(w)
	p.textf(0, "Revision %d against revision %d of round %s: %s changed", c.To, c.From, c.Round, plural.Of(len(c.Changes), "miner"))
	if len(c.Changes) > 0 {
		p.blank()
		p.painted(terminal.Head, func() { p.linef("%6s  %22s  %21s  %22s", "UID", "SCORE", "ISSUES", "REWARD") })
	}
	for _, change := range c.Changes {
		p.linef("%6d  %22s  %21s  %22s", change.UID, oldNew(change.Score, 4), oldNew(change.Issues, 2), oldNew(change.Reward, 6))
		p.textf(8, "%s", change.Reason)
	}
	return p.writeTo(w)
}

// oldNew prints a number before and after, or once if it has not changed. It compares
// before it rounds: "1.00 -> 1.00" is a change that is too small to show.
func oldNew(f outcome.Figures, digits int) string {
	if f.Old == f.New {
		return fmt.Sprintf("%.*f", digits, f.New)
	}
	return fmt.Sprintf("%.*f -> %.*f", digits, f.Old, digits, f.New)
}
