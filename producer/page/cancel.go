package page

import (
	"fmt"
	"io"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// Cancelled prints what has come of an order to cancel.
func Cancelled(w io.Writer, c view.Cancel) error {
	p := newPage(w)
	what := "Round " + c.Round
	if c.Replay > 0 {
		what = fmt.Sprintf("Replay %d of round %s", c.Replay, c.Round)
	}
	p.titlef(what, plural.Of(len(c.Cancelled), "job")+" cancelled")
	by := "ordered by " + c.By + " at " + c.At.Format(instantLayout)
	if c.Reason != "" {
		by += ": " + c.Reason
	}
	p.textf(0, "%s", by)
	if len(c.Cancelled) > 0 {
		p.painted(terminal.Bad, func() { p.textf(0, "cancelled: %s", view.Miners(c.Cancelled)) })
	}
	if len(c.Already) > 0 {
		p.textf(0, "cancelled by an earlier order: %s", view.Miners(c.Already))
	}
	if len(c.Otherwise) > 0 {
		p.textf(0, "ended otherwise before the order was carried out: %s", view.Miners(c.Otherwise))
	}
	p.textf(0, "%s", afterCancel(&c))
	return p.writeTo(w)
}

// Ordered is what an operator reads while he waits for an order to be carried out.
func Ordered(round string, uids, already []int) string {
	switch {
	case len(uids) > 0:
		return fmt.Sprintf("the order to cancel %s of round %s is stored; waiting until it is carried out",
			plural.Of(len(uids), "job"), round)
	case len(already) > 0:
		return fmt.Sprintf("%s of round %s: cancelled by an earlier order; waiting until it is carried out", view.Miners(already), round)
	}
	return fmt.Sprintf("no job of round %s is outstanding; waiting until it is concluded", round)
}

// afterCancel says how the round stands, and what can be done next.
func afterCancel(c *view.Cancel) string {
	left := plural.Of(c.Outstanding, "job") + " " + plural.Are(c.Outstanding) + " outstanding"
	switch {
	case c.Revision > c.Replay && c.Complete:
		return fmt.Sprintf("The round is concluded, with revision %d, and is complete.", c.Revision)
	case c.Revision > c.Replay:
		way := remedy(c.Round, c.PlannedRules, false)
		return fmt.Sprintf("The round is concluded, with revision %d, and is NOT complete. %s", c.Revision, way)
	case c.State == view.Running || c.State == view.Replaying:
		return "The round continues: " + left + "."
	}
	return "No producer runs the round, and " + left + ": producer run --resume " + c.Round + " resumes it."
}
