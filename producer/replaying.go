package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
)

// What the commands that run miners of a concluded round again have in common.

const groupReplay = "Selection"

// dryRunFlag is for commands that run miners again.
func dryRunFlag() cli.Flag {
	return &cli.BoolFlag{
		Name:     "dry-run",
		Category: groupReplay,
		Sources:  command.Env("dry-run"),
		Usage:    "print what would be run again, and do nothing",
	}
}

// readUIDs reads --uid; nil if it is not given.
func readUIDs(c *cli.Command) (uids []int, err error) {
	text := c.String("uid")
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		uid, err := strconv.Atoi(strings.TrimSpace(one))
		if err != nil || uid < 0 {
			return nil, command.Usage("--uid %q: want whole numbers from 0, with commas", text)
		}
		uids = append(uids, uid)
	}
	return uids, nil
}

// runAgain runs miners of a concluded round again. A dry run needs only NATS; anything else
// needs the whole fleet.
func runAgain(ctx context.Context, c *cli.Command, selection outcome.Selection) error {
	name := c.StringArg("round")
	if name == "" {
		return command.Usage("which round? Give its name, or \"latest\" (%s --help shows the usage)", c.FullName())
	}
	if c.Bool("dry-run") {
		return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error { return dryRun(ctx, c, bus, name, selection) })
	}
	o := commonOptions(c)
	o.resume = name
	if err := o.check(c); err != nil {
		return err
	}
	return conduct(ctx, c, o, func(ctx context.Context, s *session.Session) (conducted, error) {
		if err := s.ReadTokens(c.String("tokens"), c.String("github")); err != nil {
			return conducted{}, err
		}
		result, err := replayConducted(ctx, s, selection)
		return result, usageOfReplay(notThere(err))
	})
}

// dryRun prints what replay would do, as the API answers it before a POST.
func dryRun(ctx context.Context, c *cli.Command, bus *jobstream.Bus, name string, s outcome.Selection) error {
	at, err := view.Locate(ctx, bus, name, 0)
	if err != nil {
		return notThere(err)
	}
	would, err := view.ReplayOf(ctx, bus, at, s, true)
	if err != nil {
		return usageOfReplay(err)
	}
	return printAnswer(c, would, page.Replay)
}

// replayConducted runs a replay, and writes to standard error what the outcome does not
// say: miners that another replay has, and identities that are still unknown.
func replayConducted(ctx context.Context, s *session.Session, selection outcome.Selection) (conducted, error) {
	r, err := s.LookIntoReplay(ctx, selection)
	if err != nil {
		return conducted{}, err
	}
	if len(r.Already) > 0 {
		fmt.Fprintf(os.Stderr, "already being replayed: %s\n", view.Miners(r.Already))
	}
	if r.Nothing {
		fmt.Fprintf(os.Stderr, "round %s lacks nothing: revision %d stays the last one\n", r.Round, r.Before.Revision)
		return conducted{Result: r.Before, before: r.Before}, nil
	}
	result, did, err := s.Replay(ctx, r)
	if err == nil && len(did.Meanwhile) > 0 {
		fmt.Fprintf(os.Stderr, "another replay has run these in the meantime: %s\n", view.Miners(did.Meanwhile))
	}
	if err == nil && len(did.Unidentified) > 0 {
		again := "; give --tokens to ask GitHub again"
		if s.AsksGitHub() {
			again = ""
		}
		fmt.Fprintf(os.Stderr, "GitHub has not named the account of the token of %s%s\n", view.Miners(did.Unidentified), again)
	}
	again := conducted{Result: result, before: r.Before}
	for _, uid := range did.UIDs {
		if slices.Contains(result.Kept, uid) {
			again.kept = append(again.kept, uid)
		}
	}
	return again, err
}

// usageOfReplay turns an error that the caller can correct into wrong usage: a selection
// that the round does not have, a round that still runs, and an unusable token file.
func usageOfReplay(err error) error {
	if errors.Is(err, outcome.ErrSelection) || errors.Is(err, round.ErrRunning) || errors.Is(err, miners.ErrUnusable) {
		return command.UsageError{Err: err}
	}
	return err
}
