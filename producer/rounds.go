package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
)

func roundsCommand() *cli.Command {
	return &cli.Command{
		Name:  "rounds",
		Usage: "list the rounds, the last one first",
		Description: "A round is \"running\" while its producer lives and jobs are outstanding, \"stopped\" when its producer has been\n" +
			"silent for its --takeover, \"complete\" or \"incomplete\" when it has an outcome, and \"replaying\" while a replay\n" +
			"makes the next one.\n" +
			"DUE is the turn of the schedule that the round belongs to; the API never serves a round run by hand as \"latest\".\n" +
			"Below the list: how the schedule stands, what delays its next turn, and which producers lead and stand by.\n" +
			"It reads only NATS.\n\n" +
			"Examples:\n" +
			"  producer rounds --local\n" +
			"  producer rounds --nats nats://nats:4222 --limit 5 --json",
		Flags: append([]cli.Flag{&cli.IntFlag{
			Name:     "limit",
			Category: groupRound,
			Sources:  command.Env("limit"),
			Value:    20, // fits on a screen: less than two days at a round every two hours
			Usage:    "list the last `N` rounds; 0 for all of them",
			Validator: func(n int) error {
				if n >= 0 {
					return nil
				}
				return fmt.Errorf("%d: want 1 or more, or 0 for all", n)
			},
		}}, readFlags()...),
		Action: rounds,
	}
}

// rounds is `producer rounds`. Servers without streams have an empty list and not an
// error, so that a script can ask before the first round.
func rounds(ctx context.Context, c *cli.Command) error {
	list := view.List{Rounds: []view.Summary{}} // [] in JSON, not null
	err := withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) (err error) {
		list, err = view.ListOf(ctx, bus, "", c.Int("limit"), time.Now())
		return err
	})
	if err != nil && neverRun(err) == nil {
		return err
	}
	return printAnswer(c, list, page.Rounds)
}
