package page

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/terminal"
)

// Result prints an outcome for a person: a line per miner, then what the
// round lacks.
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

// origin says where a round comes from.
func origin(due time.Time) string {
	if due.IsZero() {
		return "Run by hand: the API does not serve it as latest."
	}
	return "Of the schedule, due " + due.UTC().Format(instantLayout) + "."
}

// summed says what the rewards sum to, and which share has no taker.
func summed(sum, untaken float64) string {
	text := fmt.Sprintf("Rewards sum to %.9f.", sum)
	if untaken > 0 {
		text += fmt.Sprintf("\n%.9f has no taker: uid %d or %d is not among the miners.", untaken, input.RecycleUID, input.TreasuryUID)
	}
	return text
}

func minersTable(r outcome.Result) terminal.Table {
	table := terminal.Table{Columns: []terminal.Column{
		{Title: "UID"}, {Title: "GITHUB ID"}, {Title: "MERGED"}, {Title: "OPEN"}, {Title: "CLOSED"}, {Title: "CRED"}, {Title: "SCORE"},
		{Title: "ISSUES"}, {Title: "REWARD"}, {Title: "NOTE", Text: true, Below: true},
	}}
	rewards := map[int]float64{}
	for _, reward := range r.Outcome.Rewards {
		rewards[reward.UID] = reward.Reward
	}
	lacking := map[int][]job.Missing{}
	for _, d := range r.Degraded {
		lacking[d.UID] = d.Missing
	}
	unknown := map[int]*outcome.UnknownIdentity{}
	for i := range r.UnknownIdentities {
		unknown[r.UnknownIdentities[i].UID] = &r.UnknownIdentities[i]
	}
	for i := range r.Outcome.Miners {
		m := &r.Outcome.Miners[i]
		reward := fmt.Sprintf("%.6f", rewards[m.UID])
		if m.Failed != "" {
			table.Add(strconv.Itoa(m.UID), "", "", "", "", "", "", "", reward, string(m.Failed))
			continue
		}
		table.Add(strconv.Itoa(m.UID), m.GitHubID, strconv.Itoa(m.TotalMergedPRs), strconv.Itoa(m.TotalOpenPRs),
			strconv.Itoa(m.TotalClosedPRs), two(m.Credibility), fmt.Sprintf("%.4f", m.TotalScore), two(m.IssueDiscoveryScore), reward,
			identityNote(m, unknown[m.UID], note(m, lacking[m.UID])))
	}
	for _, row := range table.Rows {
		row[len(row)-1].Colour = terminal.Warn
	}
	return table
}

// note is what a reader should know of a miner beside its scores.
func note(m *scoring.MinerOutcome, missing []job.Missing) string {
	switch {
	case m.FromStored:
		return "from its stored evaluation"
	case m.FetchFailed:
		return "its pull requests could not be listed"
	case len(missing) > 0:
		return lacks(missing)
	case m.IssuesFailed:
		return "its issues could not be listed"
	case m.IssuesIncomplete:
		return "its issues are incomplete"
	}
	return zeroNote(m)
}

// identityNote adds to a note that the miner's identity is unknown. Without a
// kept one the mirror was asked for nothing: only what is stored can be said.
func identityNote(m *scoring.MinerOutcome, unknown *outcome.UnknownIdentity, rest string) string {
	const text = "its identity is unknown"
	switch {
	case unknown == nil:
		return rest
	case rest == "" || unknown.KeptAt.IsZero() && !m.FromStored:
		return text
	}
	return text + "; " + rest
}

// lacks says what a degraded miner lacks.
func lacks(missing []job.Missing) string {
	if len(missing) == 1 {
		return "lacks " + missing[0].What
	}
	return fmt.Sprintf("lacks %s and %d more", missing[0].What, len(missing)-1)
}

func printJobs(w io.Writer, r outcome.Result) error {
	p := newPage(w)
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
		p.textf(0, "note: attempts that died before they could say how many requests they had made: %d", r.Unreported)
	}
	for _, n := range r.Notes {
		p.textf(0, "note: %s", n)
	}
	printAllIssues(p, r.AllIssues)
	printMended(p, r.Mended)
	printDamaged(p, r.Damaged)
	for _, d := range r.DeadLetters {
		p.painted(terminal.Bad, func() {
			p.textf(0, "dead letter: miner %d, %s after %s: %s", d.UID, d.Class, plural.Of(d.Attempts, "attempt"), d.Error)
		})
	}
	for _, d := range r.Degraded {
		p.painted(terminal.Warn, func() {
			p.textf(0, "degraded: miner %d %s (%s): %s", d.UID, lacks(d.Missing), d.Missing[0].Cause, d.Missing[0].Error)
		})
	}
	for _, unknown := range r.UnknownIdentities {
		p.painted(terminal.Warn, func() { p.textf(0, "unknown identity: miner %d: %s", unknown.UID, unknown) })
	}
	for _, standIn := range r.StandIns {
		p.painted(terminal.Warn, func() { p.textf(0, "stand-in: miner %d: %s", standIn.UID, standIn) })
	}
	for _, m := range r.Malformed {
		p.textf(0, "malformed: miner %d, skipped %s", m.UID, skipped(m.Items))
	}
	for _, l := range r.FailedLookUps {
		p.painted(terminal.Bad, func() { p.textf(0, "failed: %s: %s", l.What, l.Error) })
	}
	if len(r.Unloadable) > 0 {
		p.textf(0, "Languages that gave no nodes, as in the validator: %s.", strings.Join(r.Unloadable, ", "))
	}
	if r.Complete {
		p.painted(terminal.Good, func() { p.textf(0, "The round is complete.") })
	} else {
		printIncomplete(p, r.Round, len(r.UnknownIdentities) > 0)
	}
	return p.writeTo(w)
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

// skipped names malformed items. An answer of rubbish has a thousand of them, which
// --json has all.
func skipped(items []job.Malformed) string {
	const limit = 10
	var names []string
	for _, item := range items[:min(len(items), limit)] {
		names = append(names, item.Item)
	}
	text := strings.Join(names, ", ")
	if more := len(items) - limit; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// printMended names what was put right.
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

// printIncomplete says that a round is not complete, and what mends it.
func printIncomplete(p *page, name string, identities bool) {
	p.painted(terminal.Bad, func() { p.textf(0, "The round is NOT complete.") })
	p.textf(0, "%s", remedy(name, identities))
}

// remedy is what runs again what a round lacks.
func remedy(name string, identities bool) string {
	text := "Remedy: producer replay " + name
	if identities {
		text += " --tokens FILE"
	}
	return text
}
