package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring/whatif"
)

func whatIfCommand() *cli.Command {
	return &cli.Command{
		Name:  "what-if",
		Usage: "show what a round would give if something were different, and what would raise a miner's reward",
		Description: "ROUND is a round's name, or \"latest\" for the last one that was concluded. Without a change it lists the single\n" +
			"changes that would raise the miner's reward most. It reads only NATS, and changes nothing.\n\n" +
			"Examples:\n" +
			"  producer what-if latest 5 --local\n" +
			"  producer what-if latest 5 --merge owner/repo#7 --local\n" +
			"  producer what-if latest 5 --label owner/repo#7=bug --nats nats://nats:4222\n" +
			"  producer what-if latest 5 --with-registry registry.json --json --local",
		Flags: append(append(changeFlags(), revisionFlag()), readFlags()...),
		Arguments: []cli.Argument{
			&cli.StringArg{Name: "round", UsageText: "ROUND"},
			&cli.StringArg{Name: "uid", UsageText: "UID"},
		},
		Action: whatIf,
	}
}

// changeFlags are the changes that can be asked for. Each may be given several times. The flags
// have the names of the kinds, as the fields of the API's body have (whatif.Asked).
func changeFlags() []cli.Flag {
	var flags []cli.Flag
	for _, c := range []struct {
		kind  whatif.Kind
		usage string
	}{
		{whatif.Merge, "`OWNER/REPO#N[=TIME]` is merged, and closes the open issues that it names"},
		{whatif.Close, "`OWNER/REPO#N[=TIME]` is closed: a pull request without a merge, or an issue without a solver"},
		{whatif.Approve, "`OWNER/REPO#N` has one more approval"},
		{whatif.Label, "`OWNER/REPO#N=NAME`: a maintainer sets a label"},
		{whatif.Unlabel, "`OWNER/REPO#N=NAME`: it does not have the label"},
		{whatif.Link, "`OWNER/REPO#N=ISSUE`: it closes an issue of its repository, or a new one: maintainer or other says of whom"},
		{whatif.Unlink, "`OWNER/REPO#N=ISSUE`: it does not close the issue"},
		{whatif.Date, "`OWNER/REPO#N:FIELD=TIME`: merged_at of a pull request; created_at, closed_at or last_edited_at of an issue"},
	} {
		flags = append(flags, &cli.StringSliceFlag{
			Name:     string(c.kind),
			Category: groupRound,
			Sources:  command.Env(string(c.kind)),
			Usage:    c.usage,
		})
	}
	return append(flags, &cli.StringFlag{
		Name:      "with-registry",
		Category:  groupRound,
		Sources:   command.Env("with-registry"),
		TakesFile: true,
		Usage:     "`FILE` of another registry, for the repositories that the round has",
	})
}

// whatIf is `producer what-if`. Without a change it tries those that can help. A change that
// is impossible is wrong usage; an answer that the round did not keep is a failure, because
// nothing that the caller could type would help.
func whatIf(ctx context.Context, c *cli.Command) error {
	revision, err := revisionOf(c)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(c.StringArg("uid"))
	switch {
	case c.StringArg("round") == "":
		return command.Usage("which round? Give its name, or \"latest\" (%s --help shows the usage)", c.FullName())
	case c.StringArg("uid") == "":
		return command.Usage("which miner? Give its UID after the round")
	case err != nil || uid < 0:
		return command.Usage("uid %q: want a whole number from 0", c.StringArg("uid"))
	}
	asked, none, err := askedOf(c)
	if err != nil {
		return err
	}
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		result, err := view.Find(ctx, bus, c.StringArg("round"), revision)
		if err != nil {
			return notThere(err)
		}
		if none {
			levers, err := view.LeversOf(ctx, bus, result, uid)
			if err != nil {
				return notThere(err)
			}
			return printAnswer(c, levers, page.Levers)
		}
		changed, err := view.WhatIfOf(ctx, bus, result, uid, asked)
		if errors.Is(err, whatif.ErrImpossible) {
			return command.UsageError{Err: err}
		}
		if err != nil {
			return notThere(err)
		}
		return printAnswer(c, changed, page.WhatIf)
	})
}

// askedOf reads the changes, and says whether there is none.
func askedOf(c *cli.Command) (asked whatif.Asked, none bool, err error) {
	none = true
	for _, kind := range whatif.Kinds() {
		*asked.Of(kind) = c.StringSlice(string(kind))
		none = none && len(*asked.Of(kind)) == 0
	}
	if _, err := asked.Changes(); err != nil {
		return asked, false, command.Usage("--%w", err) // it begins with the kind, which is the flag's name
	}
	if file := c.String("with-registry"); file != "" {
		none = false
		if asked.Registry, err = os.ReadFile(file); err != nil {
			return asked, false, command.UsageError{Err: fmt.Errorf("--with-registry: %w", err)}
		}
	}
	return asked, none, nil
}
