package page

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// stand is a round's state in one word, with its colour. A concluded round is shown as
// complete, cancelled or incomplete.
func stand(s *view.Summary) terminal.Cell {
	switch {
	case s.State == view.Stopped || s.State == view.Damaged:
		return terminal.Cell{Text: string(s.State), Colour: terminal.Bad}
	case s.State != view.Concluded:
		return terminal.Cell{Text: string(s.State), Colour: terminal.Warn}
	case s.Complete:
		return terminal.Cell{Text: "complete", Colour: terminal.Good}
	}
	if s.Cancelled > 0 {
		return terminal.Cell{Text: "cancelled", Colour: terminal.Bad}
	}
	return terminal.Cell{Text: "incomplete", Colour: terminal.Bad}
}

// Rounds prints a line for each round, the latest first. A round's name is not cut, because
// it is an argument of other commands.
func Rounds(w io.Writer, l view.List) error {
	if len(l.Rounds) == 0 {
		return errors.Join(writeLine(w, "There is no round yet."), warmUp(w, l.WarmUp), schedule(w, l.Schedule, time.Now()))
	}
	table := terminal.Table{Columns: []terminal.Column{
		{Title: "ROUND", Text: true, Whole: true}, {Title: "DUE", Text: true, Whole: true},
		{Title: "STATE", Text: true, Whole: true},
		{Title: "DONE"}, {Title: "DEAD"}, {Title: "DEGR"}, {Title: "REV"}, {Title: "TOOK"},
	}}
	counted := func(n int, colour terminal.Colour) terminal.Cell { // a 0 is no reason to look
		if n == 0 {
			colour = terminal.Plain
		}
		return terminal.Cell{Text: strconv.Itoa(n), Colour: colour}
	}
	for i := range l.Rounds {
		r := &l.Rounds[i]
		took := "" // not known before the first outcome
		if r.Seconds != nil {
			took = brisk(*r.Seconds)
		}
		table.Rows = append(table.Rows, []terminal.Cell{
			{Text: r.Round}, {Text: due(r)}, stand(r), {Text: fmt.Sprintf("%d/%d", r.Done, r.Planned)},
			counted(r.Failed, terminal.Bad), counted(r.Degraded, terminal.Warn), {Text: strconv.Itoa(r.Revision)}, {Text: took},
		})
	}
	if err := errors.Join(table.Write(w), warmUp(w, l.WarmUp), schedule(w, l.Schedule, time.Now())); err != nil || l.Earlier == 0 {
		return err
	}
	return writeLine(w, fmt.Sprintf("and %s: --limit 0 lists all", plural.Of(l.Earlier, "earlier round")))
}

// warmUp prints the line of the last warm-up, if there is one.
func warmUp(w io.Writer, up *view.WarmUp) error {
	if up == nil {
		return nil
	}
	return writeLine(w, WarmUp(*up))
}

// WarmedUp prints how a warm-up ended.
func WarmedUp(w io.Writer, up view.WarmUp) error { return writeLine(w, WarmUp(up)) }

// WarmUp is a line on how a warm-up stands. A producer stores the reason when it ends a
// warm-up. If a warm-up's time is over and no reason is stored, its producer has died.
func WarmUp(up view.WarmUp) string {
	ahead := "by hand"
	if up.Turn != nil {
		ahead = "ahead of " + up.Turn.Format("01-02 15:04")
	}
	stands := "running"
	if !up.Running {
		stands = cmp.Or(up.Why, "its producer is gone")
	}
	return fmt.Sprintf("warm-up %s: %d/%d miners, %s", ahead, up.Done, up.Miners, stands)
}

// due is the instant of the schedule that a round belongs to, in UTC and without the year.
func due(r *view.Summary) string {
	if r.Due == nil {
		return "by hand"
	}
	return r.Due.Format("01-02 15:04")
}
