package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
)

func replayCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name:     "uid",
			Category: groupReplay,
			Sources:  command.Env("uid"),
			Usage:    "only these miners: `N,...`, each of which `producer failed` lists",
		},
		command.Offers(&cli.StringFlag{
			Name:     "class",
			Category: groupReplay,
			Sources:  command.Env("class"),
			Usage:    "only dead letters of a `CLASS` (transient, permanent, poison, overdue, cancelled, damaged), or identity",
		}, classNames()...),
		&cli.BoolFlag{
			Name:     "degraded",
			Category: groupReplay,
			Sources:  command.Env("degraded"),
			Usage:    "only the degraded miners; with --class, these as well",
		},
		likeFlag("only the miners of one group of failures: the group's `KEY`, as `producer failed` lists it", lastConcluded),
		rulesFlag(),
		dryRunFlag(),
	}
	return &cli.Command{
		Name:  "replay",
		Usage: "run the failed miners of a concluded round again, and conclude it again",
		Description: "ROUND is a round's name, or \"latest\" for the last one that was concluded. Without --uid, --class, --degraded\n" +
			"and --like all dead and degraded miners run again, with the round's own as_of, registry and weights. Failed look-ups of\n" +
			"maintainers are repeated. With --tokens, GitHub is asked again about miners of unknown identity (class\n" +
			"identity); the file is needed because tokens are never stored. The new outcome is stored as a revision beside\n" +
			"the earlier ones. Exit codes are those of run.\n\n" +
			"With --local, a round of another mirror than the demo's needs the same --mirror (or --world) again.\n\n" +
			"Examples:\n" +
			"  producer replay latest --local\n" +
			"  producer replay latest --local --dry-run\n" +
			"  producer replay latest --local --like 3f2a\n" +
			"  producer replay latest --local --tokens miner_pats.json\n" +
			"  producer replay latest --local --mirror https://mirror.gittensor.io\n" +
			"  producer replay 20260618t185400z-0a1b2c --uid 5,17 \\\n" +
			"      --nats nats://nats:4222 --redis redis://redis:6379/0",
		Flags: slices.Concat(flags, only(minerFlags(), "tokens", "github"), only(roundFlags(), "json"), localFlags(),
			otherFlags(), signingFlags(), command.Servers(), command.Streams(), command.Mirror(),
			command.Limit(), egressFlags(), command.WhoAmI(), command.Observability(), command.Listen(), traceFlags()),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "ROUND"}},
		Action:    replay,
	}
}

// classNames are the values that --class accepts, for shell completion.
func classNames() []string {
	var names []string
	for _, class := range outcome.Classes() {
		names = append(names, string(class))
	}
	return names
}

// replay is `producer replay`.
func replay(ctx context.Context, c *cli.Command) error {
	selection, err := readSelection(c)
	if err != nil {
		return err
	}
	return runAgain(ctx, c, selection)
}

// readSelection reads which miners to replay. The zero Selection means all that failed
// or are degraded; whether the round has what is named is checked by Select.
func readSelection(c *cli.Command) (s outcome.Selection, err error) {
	s = outcome.Selection{Class: job.Class(c.String("class")), Degraded: c.Bool("degraded"), Like: c.String("like")}
	if s.CurrentRules, err = readRules(c); err != nil {
		return s, err
	}
	s.UIDs, err = readUIDs(c)
	return s, err
}
