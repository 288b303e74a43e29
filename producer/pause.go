package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

func pauseCommand() *cli.Command {
	return &cli.Command{
		Name:      "pause",
		Usage:     "stop the schedule, or the round that runs, until producer resume",
		ArgsUsage: "[ROUND]",
		Description: "No turn of the schedule begins; a running round continues. With --round no job of the round is handed out; workers\n" +
			"finish the jobs that they have, and no job loses its lease or counts a failure. The round's deadline stays.\n" +
			"The pause stays when processes end. A second pause changes nothing. It needs a producer's credentials.\n\n" +
			"Examples:\n" +
			"  producer pause --nats nats://nats:4222 --reason \"NATS is moved\"\n" +
			"  producer pause --round --nats nats://nats:4222\n" +
			"  producer pause --round --local",
		Flags: append([]cli.Flag{
			roundOrderFlag("pause the round that runs, and not the schedule"),
			&cli.StringFlag{
				Name:     "reason",
				Category: groupHand,
				Sources:  command.Env("reason"),
				Usage:    "`TEXT` that is shown with the pause",
			},
		}, readFlags()...),
		Action: pauseSchedule,
	}
}

// pauseSchedule is `producer pause`.
func pauseSchedule(ctx context.Context, c *cli.Command) error {
	round, err := namedRound(c)
	if err != nil {
		return err
	}
	stop := job.Stop{By: command.Operator(), At: time.Now().UTC(), Reason: c.String("reason")}
	if err := bounded.CheckOrderText(stop.Reason); err != nil {
		return command.Usage("--reason: %w", err)
	}
	return giveOrder(ctx, c, func(ctx context.Context, bus *jobstream.Bus) (view.Steered, error) {
		if c.Bool("round") {
			return steering.PauseRound(ctx, bus, round, stop)
		}
		return steering.Pause(ctx, bus, stop)
	})
}
