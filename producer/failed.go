package main

import (
	"cmp"
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
)

func failedCommand() *cli.Command {
	return &cli.Command{
		Name:  "failed",
		Usage: "list the miners of a round that failed or lack something, by what their failures have in common",
		Description: "ROUND is a round's name, or \"latest\" (the default) for the last one that was planned, which may still run.\n" +
			"Failures that differ only in names and numbers are one group; --like lists a group whole. It reads only NATS.\n\n" +
			"Examples:\n" +
			"  producer failed --local\n" +
			"  producer failed --like 3f2a --local\n" +
			"  producer failed 20260618t185400z-0a1b2c --nats nats://nats:4222 --json",
		Flags: append([]cli.Flag{
			likeFlag("list the miners of one group of failures: the group's `KEY`", view.LastPlanned),
		}, readFlags()...),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "[ROUND]"}},
		Action:    failed,
	}
}

// failed is `producer failed`. Its "latest" is the last round planned, where other
// commands mean the last one concluded: failures matter most while a round still runs.
func failed(ctx context.Context, c *cli.Command) error {
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) (err error) {
		name := cmp.Or(c.StringArg("round"), view.Latest)
		if name == view.Latest { // RoundOf takes only names
			if name, err = view.LastPlanned(ctx, bus); err != nil {
				return notThere(err)
			}
		}
		stands, err := view.RoundOf(ctx, bus, name, time.Now())
		if err != nil {
			return notThere(err)
		}
		key := c.String("like")
		if key == "" {
			return printAnswer(c, stands, page.Failures)
		}
		if stands, err = stands.Like(key); err != nil {
			return command.UsageError{Err: err}
		}
		return printAnswer(c, stands, page.FailuresLike)
	})
}
