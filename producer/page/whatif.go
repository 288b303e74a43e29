package page

import (
	"fmt"
	"io"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

// WhatIf prints a round as it would be with some changes: a line for each miner that
// differs, and the pull requests of the miner that was asked about.
func WhatIf(w io.Writer, a view.WhatIf) error {
	p := newPage(w)
	p.titlef(fmt.Sprintf("Miner %d of round %s, if", a.UID, a.Round), fmt.Sprintf("as of %s, revision %d", a.AsOf, a.Revision))
	for _, change := range a.Changes {
		p.textf(2, "%s", change)
	}
	p.blank()
	if len(a.Miners) == 0 {
		p.textf(0, "No miner's score or reward would differ.")
		return p.writeTo(w)
	}
	p.painted(terminal.Head, func() { p.linef("%6s  %22s  %21s  %22s", "UID", "SCORE", "ISSUES", "REWARD") })
	for _, d := range a.Miners {
		p.linef("%6d  %22s  %21s  %22s", d.UID, oldNew(d.Score, 4), oldNew(d.Issues, 2), oldNew(d.Reward, 6))
	}
	if len(a.Pulls) > 0 {
		p.blank()
		p.textf(0, "Pull requests of miner %d that would differ", a.UID)
	}
	for _, d := range a.Pulls {
		p.textf(2, "%s#%d, %s: earned %s, collateral %s", d.Repository, d.Number, statesText(d.Was, d.Is),
			oldNew(d.Earned, 4), oldNew(d.Collateral, 4))
	}
	for i := range a.Then.Derivation {
		d := &a.Then.Derivation[i]
		p.blank()
		p.textf(0, "%s, as it would be", d.Repository)
		p.textf(2, "gates: %s%s", gatesText(d.Pulls.Gates), inBrackets(d.Pulls.Zero))
		printFormulas(p, 2, d.Pulls.Formulas)
	}
	change := rewardOf(&a)
	p.blank()
	p.textf(0, "Reward %s: %+.9f", oldNew(change, rewardDigits), change.New-change.Old)
	return p.writeTo(w)
}

const rewardDigits = 9

// rewardOf is the reward of the miner that was asked about.
func rewardOf(a *view.WhatIf) outcome.Figures {
	for _, d := range a.Miners {
		if d.UID == a.UID {
			return d.Reward
		}
	}
	return outcome.Figures{Old: a.Then.Rewards.Reward, New: a.Then.Rewards.Reward}
}

// statesText prints a state before and after. One that was not loaded is dropped.
func statesText(was, is scoring.State) string {
	text := func(s scoring.State) string {
		if s == "" {
			return "dropped"
		}
		return stateText(s)
	}
	if was == is {
		return text(is)
	}
	return text(was) + " -> " + text(is)
}

// Levers prints what would raise a miner's reward, the largest gain first.
func Levers(w io.Writer, a view.Levers) error {
	p := newPage(w)
	p.titlef(fmt.Sprintf("Levers of miner %d in round %s", a.UID, a.Round), fmt.Sprintf("as of %s, revision %d", a.AsOf, a.Revision))
	p.textf(0, "reward %s; each change was made by itself (%s tried)", brief(a.Reward), plural.Of(a.Tried, "change"))
	p.blank()
	if len(a.Levers) == 0 {
		p.textf(0, "No single change that was tried would raise the reward.")
	} else {
		p.painted(terminal.Head, func() { p.linef("%14s  %-10s  %s", "GAIN", "BY", "CHANGE") })
	}
	for _, l := range a.Levers {
		p.hangf(fmt.Sprintf("%14s  %-10s  ", fmt.Sprintf("%+.9f", l.Gain), l.By), "%s", l.Change)
		p.textf(28, "%s", l.Flag)
	}
	if a.Untried > 0 {
		p.textf(0, "%s more not tried.", plural.Of(a.Untried, "change"))
	}
	for _, text := range a.NotKept {
		p.painted(terminal.Warn, func() { p.textf(0, "UNKNOWN: %s", text) })
	}
	return p.writeTo(w)
}
