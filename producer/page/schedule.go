package page

import (
	"fmt"
	"io"
	"slices"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
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
	case s.NextTurn != nil && s.PutOff != nil:
		line(terminal.Plain, "the next turn was due at %s", s.NextTurn.UTC().Format(view.InstantLayout))
	case s.NextTurn != nil:
		line(terminal.Plain, "the next turn is due at %s, %s", s.NextTurn.UTC().Format(view.InstantLayout), view.Soon(s.NextTurn.Sub(now)))
	}
	if off := s.PutOff; off != nil {
		out.painted(terminal.Warn, func() {
			out.hangf("put off:  ", "for %s: %s", brisk(now.Sub(off.Since).Seconds()), off.Why)
		})
	}
	if s.PausedRound != nil {
		out.painted(terminal.Warn, func() {
			out.hangf("round:    ", "%s is PAUSED for %s, %s", s.PausedRound.Round, brisk(now.Sub(s.PausedRound.At).Seconds()), s.PausedRound.Text())
		})
	}
	producers(out, &s)
}

// maxSilent is how many silent producers are named.
const maxSilent = 3

// producers writes which producer leads and which stand by, a line each, and which ones are
// silent.
func producers(out *page, s *view.Schedule) {
	shown := false // the leader of the schedule, by a sign of its own
	leading := s.ProducersThat(view.ProducerLeads)
	standing := s.ProducersThat(view.ProducerStandsBy)
	differ := !alike(slices.Concat(leading, standing))
	for i := range leading {
		out.hangf("active:   ", "%s", producer(&leading[i], differ))
		shown = shown || leading[i].Round == ""
	}
	switch {
	case shown:
	case s.Producer != "": // its signs of life are dropped
		out.hangf("active:   ", "producer %s", s.Producer)
	case s.Paused != nil, s.Ordered != nil, s.Running != "": // there is a schedule, and nobody follows it
		out.painted(terminal.Warn, func() { out.hangf("active:   ", "no producer: no turn begins until one serves") })
	}
	for i := range standing {
		out.hangf("standby:  ", "%s", producer(&standing[i], differ))
	}
	var silent []string
	for _, p := range s.ProducersThat(view.ProducerSilent) {
		silent = append(silent, fmt.Sprintf("%s for %s", p.Name, brisk(p.SeenAgo)))
	}
	if len(silent) > 0 {
		out.painted(terminal.Warn, func() { out.hangf("silent:   ", "producer %s", plural.Some(silent, maxSilent)) })
	}
}

// alike says whether all producers have one version.
func alike(all []view.Producer) bool {
	return !slices.ContainsFunc(all, func(p view.Producer) bool { return p.Version != all[0].Version })
}

// producer describes a process that runs, with its version where versions differ.
func producer(p *view.Producer, version bool) string {
	text := "producer " + p.Name
	if p.Round != "" {
		text += " of round " + p.Round
	}
	if version {
		text += ", version " + p.Version
	}
	return text + ", up for " + brisk(p.Seen.Sub(p.Started).Seconds())
}
