package page

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/terminal"
)

// Attempts prints each attempt of a miner's job: which worker had it, when, for how long,
// how it ended, and what it cost.
func Attempts(w io.Writer, a view.Attempts) error {
	p := newPage(w)
	p.headingf("Attempts of miner %d in round %s", a.UID, a.Round)
	printAttempts(p, &a)
	return p.writeTo(w)
}

// printAttempts prints how a job stands, and each of its attempts.
func printAttempts(p *page, a *view.Attempts) {
	switch {
	case a.NoJob != input.NoFailure:
		p.textf(0, "The miner has no job in this round: %s.", a.NoJob)
		return
	case a.Lost != "":
		p.painted(terminal.Bad, func() { p.textf(0, "Nothing is known of the job: %s.", a.Lost) })
		return
	}
	p.textf(0, "%s", jobLine(*a))
	if len(a.Attempts) > 0 {
		p.blank()
		p.painted(terminal.Head, func() { p.linef(attemptRow, "N", "DELIVERY", "WORKER", "BEGAN (UTC)", "TOOK", "REQUESTS", "ENDING") })
	}
	if a.Unlisted > 0 {
		p.textf(4, "%s not kept", plural.Forms(a.Unlisted, "earlier attempt is", "earlier attempts are"))
	}
	for i := range a.Attempts {
		one := &a.Attempts[i]
		if i == 0 || one.Replay != a.Attempts[i-1].Replay || one.Trace != a.Attempts[i-1].Trace {
			p.textf(4, "%s, trace %s", replayText(one.Replay), cmp.Or(one.Trace, "none"))
		}
		printAttempt(p, one)
	}
	printWait(p, a)
}

const attemptRow = "%3s  %8s  %-16s  %-14s  %6s  %8s  %s"

// printAttempt prints an attempt, and below it why it failed.
func printAttempt(p *page, one *view.Attempt) {
	took, requests := "", "unknown"
	if one.Ended != nil {
		// Two clocks may have taken the two instants, so the difference can be below 0.
		took = brisk(max(one.Ended.Sub(one.Began), 0).Seconds())
	}
	if one.Requests != nil {
		requests = strconv.Itoa(*one.Requests)
	}
	p.painted(endingColour(one.Ending), func() {
		p.linef(attemptRow, strconv.Itoa(one.Number), strconv.Itoa(one.Delivery), clipped(one.Worker, 16),
			one.Began.UTC().Format("01-02 15:04:05"), took, requests, string(one.Ending))
	})
	switch {
	case one.Class != "":
		p.textf(5, "%s: %s", one.Class, one.Error)
	case one.Error != "":
		p.textf(5, "%s", one.Error)
	}
}

func endingColour(e job.Ending) terminal.Colour {
	switch e {
	case job.EndedCommitted, view.AttemptRunning:
		return terminal.Good
	case job.EndedDegraded, job.EndedFailed, job.EndedHandedBack, job.EndedLapsed:
		return terminal.Warn
	case job.EndedDead:
	}
	return terminal.Bad // dead, or ended from outside: overdue, cancelled, damaged, poison
}

// jobLine says how the job stands and what it has cost.
func jobLine(a view.Attempts) string {
	text := "The job is " + string(a.Phase)
	if a.Phase == job.Failed && a.Failure != nil {
		text += fmt.Sprintf(" (%s)", a.Failure.Class)
	}
	text += fmt.Sprintf(": %s, %s", plural.Of(a.Unlisted+len(a.Attempts), "attempt"), plural.Of(a.Requests, "request"))
	if a.Unreported > 0 {
		text += fmt.Sprintf("; %s without a report", plural.Of(a.Unreported, "attempt"))
	}
	return text
}

// printWait says what ended a job that no attempt ended, and what a job that has not ended
// waits for.
func printWait(p *page, a *view.Attempts) {
	ended := len(a.Attempts) > 0 && a.Attempts[len(a.Attempts)-1].Class != ""
	switch {
	case a.Phase == job.Failed && a.Failure != nil && !ended:
		p.painted(terminal.Bad, func() { p.textf(0, "Ended without an attempt, %s: %s", a.Failure.Class, a.Failure.Error) })
	case a.RetryAt != nil:
		p.textf(0, "The next attempt may begin at %s.", a.RetryAt.UTC().Format(time.TimeOnly))
	case a.Phase == job.Planned:
		p.textf(0, "The job waits for a worker.")
	}
}

func replayText(n int) string {
	if n == 0 {
		return "the round itself"
	}
	return fmt.Sprintf("replay %d", n)
}
