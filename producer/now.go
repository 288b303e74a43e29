package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

func nowCommand() *cli.Command {
	return &cli.Command{
		Name:  "now",
		Usage: "have the active producer begin a turn of the schedule at once",
		Description: "The active producer begins one turn within seconds, even if the command is given several times. With --every, later\n" +
			"turns are counted from this one; with --cron, they keep their times. While a round runs, or the schedule is paused,\n" +
			"it is refused (exit code 2). It needs a producer's credentials.\n\n" +
			"Examples:\n" +
			"  producer now --nats nats://nats:4222\n" +
			"  producer now --local --state DIR",
		Flags:  readFlags(),
		Action: now,
	}
}

// now is `producer now`.
func now(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return command.Usage("%q: want no argument", c.Args().First())
	}
	order := job.Order{By: command.Operator(), At: time.Now().UTC()}
	return giveOrder(ctx, c, func(ctx context.Context, bus *jobstream.Bus) (view.Steered, error) {
		return steering.Now(ctx, bus, order)
	})
}
