package page

import (
	"io"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/terminal"
)

// Steered prints what an order has done, and how the schedule stands after it.
func Steered(w io.Writer, s view.Steered) error { return steeredAt(w, s, time.Now()) }

func steeredAt(w io.Writer, s view.Steered, now time.Time) error {
	out := newPage(w)
	out.textf(0, "%s", steered(s))
	scheduled(out, s.Schedule, now)
	return out.writeTo(w)
}

// steered says what an order has done.
func steered(s view.Steered) string {
	stands := s.Schedule
	switch {
	case s.Order == view.SteerPause && s.Changed:
		text := "The schedule is paused: no turn begins until producer resume."
		if stands.Running != "" {
			text += " Round " + stands.Running + " runs, and continues."
		}
		return text
	case s.Order == view.SteerPause:
		return "The schedule was paused already: nothing has changed."
	case s.Order == view.SteerResume && s.Changed:
		return "The schedule is resumed. One round makes up for the turns that were missed, if there were any."
	case s.Order == view.SteerResume:
		return "The schedule is not paused: nothing has changed."
	case s.Order == view.SteerNow && s.Changed && stands.Producer == "":
		return "A turn is ordered. No producer is active: the turn begins when one serves."
	case s.Order == view.SteerNow && s.Changed:
		return "A turn is ordered: producer " + stands.Producer + " begins it within seconds."
	case s.Order == view.SteerNow:
		return "A turn was ordered already: only one turn begins."
	case s.Order == view.SteerPauseRound && s.Changed:
		text := "Round " + s.Round + " is paused: no job is handed out until producer resume --round. Workers finish the jobs that they have."
		if s.OverdueAt != nil {
			text += " It is overdue at " + s.OverdueAt.Format(view.InstantLayout) + " all the same: a pause does not change that."
		}
		return text
	case s.Order == view.SteerPauseRound:
		return "Round " + s.Round + " was paused already: nothing has changed."
	case s.Changed:
		return "Round " + s.Round + " is resumed: its jobs are handed out."
	}
	return "No round is paused: nothing has changed."
}

// schedule prints the lines of the schedule, if there is one.
func schedule(w io.Writer, s *view.Schedule, now time.Time) error {
	if s == nil {
		return nil
	}
	out := newPage(w)
	scheduled(out, *s, now)
	return out.writeTo(w)
}

// scheduled writes how a schedule stands: a line for each thing that is to be known.
func scheduled(out *page, s view.Schedule, now time.Time) {
	line := func(colour terminal.Colour, format string, args ...any) {
		out.painted(colour, func() { out.hangf("schedule: ", format, args...) })
	}
	switch {
	case s.Paused != nil:
		line(terminal.Warn, "PAUSED for %s, %s", brisk(now.Sub(s.Paused.At).Seconds()), s.Paused.Text())
	case s.Ordered != nil:
		line(terminal.Plain, "a turn begins at once, ordered by %s at %s", s.Ordered.By, s.Ordered.At.UTC().Format(view.InstantLayout))
	case s.Running != "":
		line(terminal.Plain, "round %s runs", s.Running)
	case s.NextTurn != nil:
		line(terminal.Plain, "the next turn is due at %s, %s", s.NextTurn.UTC().Format(view.InstantLayout), view.Soon(s.NextTurn.Sub(now)))
	}
	if s.PausedRound != nil {
		out.painted(terminal.Warn, func() {
			out.hangf("round:    ", "%s is PAUSED for %s, %s", s.PausedRound.Round, brisk(now.Sub(s.PausedRound.At).Seconds()), s.PausedRound.Text())
		})
	}
	switch {
	case s.Producer != "":
		out.hangf("active:   ", "producer %s", s.Producer)
	case s.Paused != nil, s.Ordered != nil, s.Running != "": // there is a schedule, and nobody follows it
		out.painted(terminal.Warn, func() { out.hangf("active:   ", "no producer: no turn begins until one serves") })
	}
}
