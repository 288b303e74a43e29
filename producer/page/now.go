package page

import (
	"io"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/terminal"
)

// RoundNow prints a round that has no outcome yet, as far as it is known: how far it is, the
// jobs that run or wait for another attempt, and the failures so far.
func RoundNow(w io.Writer, r view.RoundNow) error {
	p, name := newPage(w), r.Round.Round
	p.titlef("Round "+name, "as of "+r.AsOf.Format(instantLayout))
	p.textf(0, "%s", worked(&r))
	p.textf(0, "%s", strings.Join(counts(r.Progress), ", "))
	printStops(p, r.Paused, r.CancelOrders)
	var open []view.MinerNow
	identities := false
	for _, m := range view.Interesting(r.Jobs) {
		if m.Phase == job.Running || m.Phase == job.Planned && m.Attempt > 0 {
			open = append(open, m)
		}
	}
	for _, one := range r.Failures {
		identities = identities || one.Class == outcome.ClassIdentity
	}
	if len(open) > 0 {
		p.blank()
	}
	for _, m := range open {
		p.linef("%s", minerLine(m))
	}
	printFailed(p, &r.Round, identities)
	if r.Producer != "" {
		p.blank()
		p.textf(0, "producer watch %s follows it", name)
		p.textf(0, "producer show %s UID shows the job of a miner", name)
	}
	return p.writeTo(w)
}

// worked says who works on a round that has no outcome.
func worked(r *view.RoundNow) string {
	text := "Not concluded yet, and no producer runs it"
	if r.Producer != "" {
		text = "Not concluded yet: producer " + r.Producer + " runs it"
	}
	if !r.PlannedAt.IsZero() {
		text += "; planned at " + r.PlannedAt.Format(instantLayout)
	}
	return text
}

// printStops prints what holds jobs back or ends them.
func printStops(p *page, paused *job.RoundStop, orders []job.CancelOrder) {
	if paused != nil {
		p.painted(terminal.Warn, func() {
			p.textf(0, "Round %s is paused %s. No job is handed out until producer resume --round.", paused.Round, paused.Text())
		})
	}
	for _, o := range orders {
		p.textf(0, "%s", ordered(o))
	}
}

// JobNow prints the job of a miner in a round that has no outcome yet.
func JobNow(w io.Writer, a view.JobNow) error {
	p := newPage(w)
	p.headingf("Miner %d in round %s, which is %s", a.UID, a.Round, a.State)
	printStops(p, a.Paused, a.CancelOrders)
	if a.Job != nil {
		p.linef("%s", minerLine(*a.Job))
	}
	printAttempts(p, &a.Attempts)
	if a.State == view.Running {
		p.blank()
		p.textf(0, "Its score is known when the round is concluded.")
	}
	return p.writeTo(w)
}
