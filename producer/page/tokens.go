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
			p.painted(terminal.Warn, func() { p.linef("%6d  %s", n, meaningOf(state)) })
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
	p.textf(0, "Remedy: %s", remedyOf(state))
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

// meaningOf says what a state means.
func meaningOf(state view.TokenState) string {
	return map[view.TokenState]string{
		view.TokenNone:        "none: no token is stored for the uid",
		view.TokenStale:       "stale: the stored token is of another hotkey, which had the uid before",
		view.TokenRefused:     "refused: GitHub does not accept the token",
		view.TokenUnreachable: "unreachable: GitHub did not say whose account it is, nor within a day before",
	}[state]
}

// remedyOf says what helps against a state.
func remedyOf(state view.TokenState) string {
	return map[view.TokenState]string{
		view.TokenNone:        "the miner sends the validator a token; the next round takes it",
		view.TokenStale:       "the miner that has the uid now sends the validator a token of its own",
		view.TokenRefused:     "it has expired, was revoked or lacks a right: the miner makes a new one and sends it to the validator",
		view.TokenUnreachable: "the next round asks GitHub again; if it stays, see whether the producer reaches GitHub (producer doctor)",
	}[state]
}
