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
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

const groupReplay = "Selection"

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
			Usage:    "only dead letters of a `CLASS` (transient, permanent, poison, overdue, damaged), or identity",
		}, classNames()...),
		&cli.BoolFlag{
			Name:     "degraded",
			Category: groupReplay,
			Sources:  command.Env("degraded"),
			Usage:    "only the degraded miners; with --class, these as well",
		},
		&cli.BoolFlag{
			Name:     "dry-run",
			Category: groupReplay,
			Sources:  command.Env("dry-run"),
			Usage:    "print what would be replayed, and do nothing",
		},
	}
	return &cli.Command{
		Name:  "replay",
		Usage: "run the failed miners of a concluded round again, and conclude it again",
		Description: "ROUND is a round's name, or \"latest\" for the last one that was concluded. Without --uid, --class and --degraded\n" +
			"all dead and degraded miners run again, with the round's own as_of, registry and weights. Failed look-ups of\n" +
			"maintainers are repeated. With --tokens, GitHub is asked again about miners of unknown identity (class\n" +
			"identity); the file is needed because tokens are never stored. The new outcome is stored as a revision beside\n" +
			"the earlier ones. Exit codes are those of run.\n\n" +
			"With --local, a round of another mirror than the demo's needs the same --mirror (or --world) again.\n\n" +
			"Examples:\n" +
			"  producer replay latest --local\n" +
			"  producer replay latest --local --dry-run\n" +
			"  producer replay latest --local --tokens miner_pats.json\n" +
			"  producer replay latest --local --mirror https://mirror.gittensor.io\n" +
			"  producer replay 20260618t185400z-0a1b2c --uid 5,17 \\\n" +
			"      --nats nats://nats:4222 --redis redis://redis:6379/0",
		Flags: slices.Concat(flags, only(minerFlags(), "tokens", "github"), only(roundFlags(), "json"), localFlags(),
			otherFlags(), signingFlags(), command.Servers(), command.Streams(), command.Mirror(),
			command.Limit(), egressFlags(), command.Observability(), command.Listen(), traceFlags()),
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

// replay is `producer replay`. A dry run needs only NATS; a replay needs the whole
// fleet.
func replay(ctx context.Context, c *cli.Command) error {
	name := c.StringArg("round")
	if name == "" {
		return command.Usage("which round? Give its name, or \"latest\" (%s --help shows the usage)", c.FullName())
	}
	selection, err := readSelection(c)
	if err != nil {
		return err
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

// readSelection reads which miners to replay. The zero Selection means all that failed
// or are degraded; whether the round has what is named is checked by Select.
func readSelection(c *cli.Command) (outcome.Selection, error) {
	s := outcome.Selection{Class: job.Class(c.String("class")), Degraded: c.Bool("degraded")}
	if text := c.String("uid"); text != "" {
		for one := range strings.SplitSeq(text, ",") {
			uid, err := strconv.Atoi(strings.TrimSpace(one))
			if err != nil || uid < 0 {
				return s, command.Usage("--uid %q: want whole numbers from 0, with commas", text)
			}
			s.UIDs = append(s.UIDs, uid)
		}
	}
	return s, nil
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
	return conducted{Result: result, before: r.Before}, err
}

// usageOfReplay makes wrong usage of what the caller can correct: a selection that
// the round does not have, a round that still runs, and an unusable token file.
func usageOfReplay(err error) error {
	if errors.Is(err, outcome.ErrSelection) || errors.Is(err, round.ErrRunning) || errors.Is(err, miners.ErrUnusable) {
		return command.UsageError{Err: err}
	}
	return err
}
