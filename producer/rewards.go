package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

func rewardsCommand() *cli.Command {
	return &cli.Command{
		Name:  "rewards",
		Usage: "print the rewards of a concluded round",
		Description: "ROUND is a round's name, or \"latest\" (the default) for the last one that was concluded. The rewards are always\n" +
			"printed. The exit code is 0 only for a complete round, and 1 for a round that lacks something, so that no script\n" +
			"sets weights from it by mistake. It reads only NATS.\n\n" +
			"Examples:\n" +
			"  producer rewards --local\n" +
			"  producer rewards latest --nats nats://nats:4222 --json\n" +
			"  producer rewards 20260618t185400z-0a1b2c --revision 1 --nats nats://nats:4222",
		Flags:     append([]cli.Flag{revisionFlag()}, readFlags()...),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "[ROUND]"}},
		Action:    rewards,
	}
}

// rewards is `producer rewards`. The error of an incomplete round comes after the
// rewards are printed: it sets the exit code, and takes nothing from a caller who wants
// them all the same.
func rewards(ctx context.Context, c *cli.Command) error {
	revision, err := revisionOf(c)
	if err != nil {
		return err
	}
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		result, err := view.Find(ctx, bus, cmp.Or(c.StringArg("round"), view.Latest), revision)
		if err != nil {
			return notThere(err)
		}
		err = printAnswer(c, view.RewardsOf(result, time.Now()), page.Rewards)
		if err == nil && !result.Complete {
			// The command in the error must find the same round when it is typed as it stands.
			where := ""
			if c.Bool("local") {
				where = " --local --state " + c.String("state")
			}
			err = fmt.Errorf("round %s is not complete: producer show %s%s lists what it lacks", result.Round, result.Round, where)
		}
		return err
	})
}
