package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

func resumeCommand() *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Usage:     "end the pause of the schedule, or of the round",
		ArgsUsage: "[ROUND]",
		Description: "One round makes up for all turns that were missed meanwhile; later turns keep their times. With --round the\n" +
			"jobs of the paused round are handed out again. Where nothing is paused, it changes nothing. It needs a producer's\n" +
			"credentials. To resume a round that a producer has left, use producer run --resume.\n\n" +
			"Examples:\n" +
			"  producer resume --nats nats://nats:4222\n" +
			"  producer resume --round --nats nats://nats:4222",
		Flags:  append([]cli.Flag{roundOrderFlag("resume the round that is paused, and not the schedule")}, readFlags()...),
		Action: resumeSchedule,
	}
}

// resumeSchedule is `producer resume`.
func resumeSchedule(ctx context.Context, c *cli.Command) error {
	round, err := namedRound(c)
	if err != nil {
		return err
	}
	return giveOrder(ctx, c, func(ctx context.Context, bus *jobstream.Bus) (view.Steered, error) {
		if c.Bool("round") {
			return steering.ResumeRound(ctx, bus, round)
		}
		return steering.Resume(ctx, bus)
	})
}
