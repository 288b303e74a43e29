package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// comparison is what a revision changed.
type comparison struct{ outcome.Comparison }

// compareWithFormer compares a revision with the one before it, for one miner
// if there is a uid.
func compareWithFormer(ctx context.Context, bus *jobstream.Bus, result outcome.Result, uid *int) (c comparison, err error) {
	if result.Revision < 2 {
		return c, command.Usage("revision %d of round %s is the first: there is none to compare it with; producer replay makes another",
			result.Revision, result.Round)
	}
	former, err := answer.Read(ctx, bus, answer.Place{Round: result.Round, Revision: result.Revision - 1})
	if err != nil {
		return c, err
	}
	c.Comparison = outcome.Compare(former, result)
	if uid != nil {
		c.Changes = slices.DeleteFunc(c.Changes, func(change outcome.Change) bool { return change.UID != *uid })
	}
	return c, nil
}

// render prints a line of scores and one of reasons for each miner.
func (c comparison) render(w io.Writer) error {
	p := newPage(w)
	p.blank()
	p.textf(0, "Revision %d against revision %d of round %s: %s changed", c.To, c.From, c.Round, plural.Of(len(c.Changes), "miner"))
	if len(c.Changes) > 0 {
		p.blank()
		p.painted(terminal.Head, func() { p.linef("%6s  %22s  %21s  %22s", "UID", "SCORE", "ISSUES", "REWARD") })
	}
	for _, change := range c.Changes {
		p.linef("%6d  %22s  %21s  %22s", change.UID, oldNew(change.Score, 4), oldNew(change.Issues, 2), oldNew(change.Reward, 6))
		p.textf(8, "%s", change.Reason)
	}
	return p.writeTo(w)
}

// oldNew prints a figure before and after, or once if it is the same.
func oldNew(f outcome.Figures, digits int) string {
	if f.Old == f.New {
		return fmt.Sprintf("%.*f", digits, f.New)
	}
	return fmt.Sprintf("%.*f -> %.*f", digits, f.Old, digits, f.New)
}
