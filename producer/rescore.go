package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/command"
)

func rescoreCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name:     "uid",
			Category: groupReplay,
			Sources:  command.Env("uid"),
			Usage:    "the miners: `N,...`, each of which has a job in the round; \"all\" for every one that has",
		},
		rulesFlag(),
		dryRunFlag(),
	}
	return &cli.Command{
		Name:  "rescore",
		Usage: "score some miners of a concluded round again, and conclude it again",
		Description: "ROUND is a round's name, or \"latest\" for the last one that was concluded. The miners run again with the round's\n" +
			"own as_of, registry and weights. Pull requests are listed anew; files that have not changed come from the score\n" +
			"cache. The new outcome is stored as a revision beside the earlier ones. A miner whose rescore fails keeps the\n" +
			"evaluation that it had. Exit codes are those of run, and 1 if a rescore failed.\n\n" +
			"With --local, a round of another mirror than the demo's needs the same --mirror (or --world) again.\n\n" +
			"Examples:\n" +
			"  producer rescore latest --uid 5 --local\n" +
			"  producer rescore latest --uid all --local --dry-run\n" +
			"  producer rescore 20260618t185400z-0a1b2c --uid 5,17 \\\n" +
			"      --nats nats://nats:4222 --redis redis://redis:6379/0",
		Flags: slices.Concat(flags, only(minerFlags(), "tokens", "github"), only(roundFlags(), "json"), localFlags(),
			otherFlags(), signingFlags(), command.Servers(), command.Streams(), command.Mirror(),
			command.Limit(), egressFlags(), command.WhoAmI(), command.Observability(), command.Listen(), traceFlags()),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "ROUND"}},
		Action:    rescore,
	}
}

// rescore is `producer rescore`.
func rescore(ctx context.Context, c *cli.Command) error {
	var uids []int
	if c.String("uid") != "all" {
		var err error
		if uids, err = readUIDs(c); err != nil {
			return err
		}
		if len(uids) == 0 {
			return command.Usage("which miners? Give --uid N,... or --uid all (%s --help shows the usage)", c.FullName())
		}
	}
	current, err := readRules(c)
	if err != nil {
		return err
	}
	return runAgain(ctx, c, outcome.Selection{UIDs: uids, Rescore: true, CurrentRules: current})
}
