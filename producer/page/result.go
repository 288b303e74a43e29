package page

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/terminal"
)

// Result prints an outcome: a line for each miner, then the jobs and what the round lacks.
func Result(w io.Writer, r outcome.Result) error {
	p := newPage(w)
	p.blank()
	revision := ""
	if r.Revision > 1 {
		revision = fmt.Sprintf(", revision %d", r.Revision)
	}
	p.titlef("Round "+r.Round, "as of "+r.AsOf.UTC().Format(instantLayout)+revision)
	p.textf(0, "%s", origin(r.Due))
	p.blank()
	if err := p.writeTo(w); err != nil {
		return err
	}
	table := minersTable(r)
	if err := table.Write(w); err != nil {
		return err
	}
	if err := writeLine(w, "\n"+summed(r.Outcome.Sum, r.Outcome.Untaken)); err != nil {
		return err
	}
	return printJobs(w, r)
}

// origin says whether a round was run by hand or on schedule. due is zero for one that was
// run by hand.
func origin(due time.Time) string {
	if due.IsZero() {
		return "Run by hand: the API does not serve it as latest."
	}
	return "Of the schedule, due " + due.UTC().Format(instantLayout) + "."
}

// summed prints the sum of the rewards. The share of uid 0 or 111 has no taker where that
// uid is not among the miners; the rewards then sum to less than 1.
func summed(sum, untaken float64) string {
	text := fmt.Sprintf("Rewards sum to %.9f.", sum)
	if untaken > 0 {
		text += fmt.Sprintf("\n%.9f has no taker: uid %d or %d is not among the miners.", untaken, input.RecycleUID, input.TreasuryUID)
	}
	return text
}

// minersTable has a row for each miner. A miner that a rule fails has only its reward,
// which is 0, and the rule.
func minersTable(r outcome.Result) terminal.Table {
	table := terminal.Table{Columns: []terminal.Column{
		{Title: "UID"}, {Title: "GITHUB ID"}, {Title: "MERGED"}, {Title: "OPEN"}, {Title: "CLOSED"}, {Title: "CRED"}, {Title: "SCORE"},
		{Title: "ISSUES"}, {Title: "REWARD"}, {Title: "NOTE", Text: true, Below: true},
	}}
	for _, m := range view.MinerLines(&r) {
		reward := fmt.Sprintf("%.6f", m.Reward)
		if m.Failed != input.NoFailure {
			table.Add(strconv.Itoa(m.UID), "", "", "", "", "", "", "", reward, m.Note)
			continue
		}
		table.Add(strconv.Itoa(m.UID), m.GitHubID, strconv.Itoa(m.Merged), strconv.Itoa(m.Open), strconv.Itoa(m.Closed),
			two(m.Credibility), fmt.Sprintf("%.4f", m.Score), two(m.Issues), reward, m.Note)
	}
	for _, row := range table.Rows {
		row[len(row)-1].Colour = terminal.Warn
	}
	return table
}

// printJobs prints the counts of the jobs, then each thing that an operator may have to act
// on. Requests are a minimum if attempts died before they could report theirs.
func printJobs(w io.Writer, r outcome.Result) error {
	p := newPage(w)
	// Unsettled pull requests are scored, from an answer that the mirror may still change.
	// The next round asks for them again.
	cached := ""
	if r.Cached > 0 {
		cached = ", " + plural.Of(r.Cached, "pull request") + " from the cache"
	}
	if r.Unsettled > 0 {
		cached += fmt.Sprintf(", %d not settled yet", r.Unsettled)
	}
	atLeast := ""
	if r.Unreported > 0 {
		atLeast = "at least "
	}
	p.textf(0, "%s: %d done (%d degraded), %d failed; %s repeated; %s%s%s.", plural.Of(r.Planned, "job"),
		r.Done, len(r.Degraded), r.Failed, plural.Of(r.Retries, "attempt"), atLeast, plural.Of(r.Requests, "request"), cached)
	if r.Unreported > 0 {
		p.textf(0, "note: %s died before reporting the number of requests", plural.Of(r.Unreported, "attempt"))
	}
	for _, n := range r.Notes {
		p.textf(0, "note: %s", n)
	}
	printAllIssues(p, r.AllIssues)
	printMended(p, r.Mended)
	printDamaged(p, r.Damaged)
	for _, o := range r.CancelOrders {
		p.painted(terminal.Bad, func() { p.textf(0, "%s", ordered(o)) })
	}
	printDead(p, r.DeadLetters)
	if len(r.Kept) > 0 {
		p.textf(0, "kept: the evaluation from before the last run of %s counts, and lacks nothing", view.Miners(r.Kept))
	}
	for _, d := range r.Degraded {
		p.painted(terminal.Warn, func() {
			p.textf(0, "degraded: miner %d %s (%s): %s", d.UID, view.Lacks(d.Missing), d.Missing[0].Cause, d.Missing[0].Error)
		})
	}
	for _, unknown := range r.UnknownIdentities {
		p.painted(terminal.Warn, func() { p.textf(0, "unknown identity: miner %d: %s", unknown.UID, unknown) })
	}
	for _, standIn := range r.StandIns {
		p.painted(terminal.Warn, func() { p.textf(0, "stand-in: miner %d: %s", standIn.UID, standIn) })
	}
	for _, m := range r.Malformed { // without a colour: the validator skips them too
		p.textf(0, "malformed: miner %d, skipped %s", m.UID, skipped(m.Items))
	}
	for _, l := range r.FailedLookUps {
		p.painted(terminal.Bad, func() { p.textf(0, "failed: %s: %s", l.What, l.Error) })
	}
	if len(r.Unloadable) > 0 {
		p.textf(0, "Languages that gave no nodes, as in the validator: %s.", strings.Join(r.Unloadable, ", "))
	}
	printRules(p, &r)
	if r.Complete {
		p.painted(terminal.Good, func() { p.textf(0, "The round is complete.") })
	} else {
		printIncomplete(p, r.Round, r.PlannedRules, len(r.UnknownIdentities) > 0)
	}
	return p.writeTo(w)
}

// printDead prints the dead letters: each by itself, but the cancelled ones, which are often
// the whole round for one reason, in one line.
func printDead(p *page, letters []job.DeadLetter) {
	var cancelled []int
	for i := range letters {
		d := &letters[i]
		if d.Class == job.Cancelled {
			cancelled = append(cancelled, d.UID)
			continue
		}
		p.painted(terminal.Bad, func() {
			p.textf(0, "dead letter: miner %d, %s after %s: %s", d.UID, d.Class, plural.Of(d.Attempts, "attempt"), d.Error)
		})
	}
	if len(cancelled) > 0 {
		p.painted(terminal.Bad, func() {
			p.textf(0, "%s, cancelled: %s", plural.Of(len(cancelled), "dead letter"), view.Miners(cancelled))
		})
	}
}

// printAllIssues says what was not as it should be with the one answer on all issues.
func printAllIssues(p *page, all *outcome.AllIssues) {
	switch {
	case all == nil:
	case all.Unused != "":
		p.textf(0, "note: the one answer on all issues was not used, each miner's issues were asked for: %s", all.Unused)
	case all.Unreadable > 0:
		p.textf(0, "note: the one answer on all issues has unreadable rows, %d of %s: skipped %s", all.Unreadable,
			plural.Of(all.Rows, "row"), skipped(all.Malformed))
	}
}

// ordered says who has cancelled what.
func ordered(o job.CancelOrder) string {
	what := "the round"
	if !o.Whole() {
		what = view.Miners(o.UIDs)
	}
	return what + ": " + o.String()
}

// skipped names the first ten malformed items. A broken answer can have a thousand of them;
// --json has all.
func skipped(items []job.Malformed) string {
	names := make([]string, len(items))
	for i := range items {
		names[i] = items[i].Item
	}
	return plural.Some(names, 10)
}

// printMended names the repairs. A uid below 0 is a repair of the round itself.
func printMended(p *page, mended []outcome.Mended) {
	for _, m := range mended {
		whose := ""
		if m.UID >= 0 {
			whose = fmt.Sprintf("miner %d: ", m.UID)
		}
		p.textf(0, "mended: %s%s", whose, m.What)
	}
}

// printDamaged names what damage has cost a round.
func printDamaged(p *page, damaged []outcome.Lost) {
	for _, d := range damaged {
		p.painted(terminal.Bad, func() { p.textf(0, "damaged: %s: %s", d.What, d.Error) })
	}
}

// printIncomplete says that a round is not complete, and how to get what it lacks.
func printIncomplete(p *page, name string, planned int, identities bool) {
	p.painted(terminal.Bad, func() { p.textf(0, "The round is NOT complete.") })
	p.textf(0, "%s", remedy(name, planned, identities))
}

// remedy names the command that runs again what failed. planned is the version of the rules
// that the round was planned under; identities says that GitHub must be asked again, which
// takes the file of tokens.
func remedy(name string, planned int, identities bool) string {
	text := "Remedy: producer replay " + name
	if identities {
		text += " --tokens FILE"
	}
	return text + underRules(planned)
}

// underRules returns the flag that a replay needs for a round that was planned under other
// rules; "" for the current rules. A round from before rules had a version counts as one of the
// first version.
func underRules(planned int) string {
	if max(planned, scoring.FirstRules) == scoring.RulesVersion {
		return ""
	}
	return " --rules current"
}

// printRules names the version of the rules. An outcome from before they were noted has none.
func printRules(p *page, r *outcome.Result) {
	switch {
	case r.Rules == 0:
	case r.PlannedRules == r.Rules:
		p.textf(0, "Rules: version %d.", r.Rules)
	default:
		p.painted(terminal.Warn, func() {
			p.textf(0, "Rules: version %d, but the round was planned under version %d: a replay takes --rules current.", r.Rules, r.PlannedRules)
		})
	}
}
