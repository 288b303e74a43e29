package page

import (
	"fmt"
	"io"
	"strconv"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// Tokens prints the fleet's coverage: the counts, then each miner without a usable token, by
// what it lacks, with the remedy.
func Tokens(w io.Writer, t view.Tokens) error {
	p := newPage(w)
	p.headingf("Tokens in round %s, planned %s", t.Round, t.PlannedAt.UTC().Format(instantLayout))
	p.textf(0, "%d of %s %s a usable token%s", t.Usable, plural.Of(t.Miners, "miner"), have(t.Usable), keptText(t.Kept))
	counts := map[view.TokenState]int{}
	for i := range t.Lacking {
		counts[t.Lacking[i].State]++
	}
	for _, state := range view.TokenStates() {
		if n := counts[state]; n > 0 {
			p.painted(terminal.Warn, func() { p.linef("%6d  %s: %s", n, state, state.Meaning()) })
		}
	}
	for _, state := range view.TokenStates() {
		if counts[state] > 0 {
			printLacking(p, &t, state)
		}
	}
	return p.writeTo(w)
}

// printLacking prints the miners of one state.
func printLacking(p *page, t *view.Tokens, state view.TokenState) {
	p.blank()
	p.painted(terminal.Head, func() { p.linef("%6s  %-11s  %-16s  %9s  %s", "UID", "TOKEN", "SINCE (UTC)", "ROUNDS", "HOTKEY") })
	for i := range t.Lacking {
		l := &t.Lacking[i]
		if l.State != state {
			continue
		}
		colour, rounds := terminal.Plain, strconv.Itoa(l.Rounds)
		if l.FellOut {
			colour = terminal.Bad
		}
		if l.AtLeast {
			rounds = "≥ " + rounds
		}
		p.painted(colour, func() {
			p.linef("%6d  %-11s  %-16s  %9s  %s", l.UID, l.State, l.Since.UTC().Format("2006-01-02 15:04"), rounds,
				terminal.Cut(terminal.Clean(l.Hotkey), 20))
		})
		if l.FellOut {
			p.textf(8, "it had a usable token in the round before")
		}
	}
	p.textf(0, "Remedy: %s", state.Remedy())
}

func keptText(kept int) string {
	if kept == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them by an earlier answer of GitHub, which did not answer this time", kept)
}

func have(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}
