package view

import (
	"fmt"

	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
)

// Note is something that a reader must know before he believes a miner's scores.
type Note struct {
	Label string // FAILED, NOTE, STAND-IN …; "" for none
	Text  string
	Bad   bool // nothing of the miner counts, or nothing could be had of it
}

// Notes are what a miner's scores lack: failures, answers that are missing, and what stands
// in for them (docs/rules/scoring.md#fallback-and-shared-accounts).
func (a *Miner) Notes() []Note {
	var list []Note
	add := func(bad bool, label, format string, args ...any) {
		list = append(list, Note{label, fmt.Sprintf(format, args...), bad})
	}
	m := &a.Outcome
	if m.Failed != input.NoFailure {
		add(true, "FAILED", "%s", m.Failed)
	}
	if len(m.SharedWith) > 0 {
		add(false, "", "shares its GitHub account with uids %v", m.SharedWith)
	}
	// Without a known account there was nothing to ask the mirror about.
	unasked := a.UnknownIdentity != nil && a.UnknownIdentity.KeptAt.IsZero() && m.Failed == input.NoFailure
	for _, n := range []struct {
		holds bool
		text  string
	}{
		{unasked, "the mirror was not asked about it: its stored pull requests, if any, stand in"},
		{!unasked && m.FetchFailed && !m.FromStored, "its pull requests could not be listed, and none are stored"},
		{!unasked && m.Failed == "" && m.IssuesFailed, "its issues could not be listed: stored scores, if any, stand in"},
		{!unasked && m.OpenIssuesFailed, "its open issues could not be listed"},
		{m.IssuesIncomplete, "the score of a solving pull request could not be obtained: its issues are incomplete"},
	} {
		if n.holds {
			add(false, "NOTE", "%s", n.text)
		}
	}
	if a.StandIn != nil {
		add(false, "STAND-IN", "%s", a.StandIn)
	}
	if a.UnknownIdentity != nil {
		add(false, "UNKNOWN IDENTITY", "%s", a.UnknownIdentity)
	}
	for _, d := range a.DeadLetters {
		add(true, "DEAD LETTER", "%s after %s: %s", d.Class, plural.Of(d.Attempts, "attempt"), d.Error)
	}
	for _, missing := range a.Missing {
		add(false, "MISSING", "%s (%s): %s", missing.What, missing.Cause, missing.Error)
	}
	for _, item := range a.Malformed {
		add(false, "MALFORMED, skipped", "%s: %s", item.Item, item.Error)
	}
	return list
}
