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

const groupReplay = "What is replayed"

func replayCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name: "uid", Category: groupReplay, Sources: command.Env("uid"),
			Usage: "only these miners: `N,...`, each of which `producer failed` lists",
		},
		command.Offers(&cli.StringFlag{
			Name: "class", Category: groupReplay, Sources: command.Env("class"),
			Usage: "the dead letters of a `CLASS` (transient, permanent, poison, overdue, damaged), or identity",
		}, classNames()...),
		&cli.BoolFlag{
			Name: "degraded", Category: groupReplay, Sources: command.Env("degraded"),
			Usage: "the degraded miners; with --class those too",
		},
		&cli.BoolFlag{
			Name: "dry-run", Category: groupReplay, Sources: command.Env("dry-run"),
			Usage: "say what would be replayed, and do nothing",
		},
	}
	return &cli.Command{
		Name:  "replay",
		Usage: "run the failed miners of a concluded round again, and conclude it anew",
		Description: "ROUND is a round's name, or \"latest\" for the last one that was concluded. Without --uid, --class and --degraded\n" +
			"all dead and degraded miners are run again, with the round's own as_of, registry and weights. Look-ups\n" +
			"of maintainers that failed are made again. With --tokens, GitHub is asked again about the miners of unknown\n" +
			"identity (class identity); the file is needed because tokens are never stored. The new outcome is a revision\n" +
			"beside the former ones. Exit codes are those of run.\n\n" +
			"With --local, a round that ran against another mirror than the demo's needs the same --mirror (or --world) again.\n\n" +
			"Examples:\n" +
			"  producer replay latest --local\n" +
			"  producer replay latest --local --dry-run\n" +
			"  producer replay latest --local --tokens miner_pats.json\n" +
			"  producer replay latest --local --mirror https://mirror.gittensor.io\n" +
			"  producer replay 20260618t185400z-0a1b2c --uid 5,17 \\\n" +
			"      --nats nats://nats:4222 --redis redis://redis:6379/0",
		Flags: slices.Concat(flags, only(minerFlags(), "tokens", "github"), only(roundFlags(), "json"), localFlags(),
			otherFlags(), signingFlags(), command.Servers(), command.Streams(), command.Mirror(),
			command.Limit(), egressFlags(), command.Seeing(), command.Listen(), traceFlags()),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "ROUND"}},
		Action:    replay,
	}
}

func classNames() []string {
	var names []string
	for _, class := range outcome.Classes() {
		names = append(names, string(class))
	}
	return names
}

// replay is `producer replay`.
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

// replayConducted runs a replay, and tells what else there is to say of it.
func replayConducted(ctx context.Context, s *session.Session, selection outcome.Selection) (conducted, error) {
	r, err := s.LookIntoReplay(ctx, selection)
	if err != nil {
		return conducted{}, err
	}
	if len(r.Already) > 0 {
		fmt.Fprintf(os.Stderr, "already being replayed: %s\n", view.Miners(r.Already))
	}
	if r.Nothing {
		fmt.Fprintf(os.Stderr, "round %s lacks nothing: revision %d stands\n", r.Round, r.Before.Revision)
		return conducted{Result: r.Before, before: r.Before}, nil
	}
	result, did, err := s.Replay(ctx, r)
	if err == nil && len(did.Meanwhile) > 0 {
		fmt.Fprintf(os.Stderr, "another replay was first with %s\n", view.Miners(did.Meanwhile))
	}
	if err == nil && len(did.Unidentified) > 0 {
		again := ": with --tokens it is asked again"
		if s.AsksGitHub() {
			again = ""
		}
		fmt.Fprintf(os.Stderr, "GitHub has not said whose account the token is, of %s%s\n", view.Miners(did.Unidentified), again)
	}
	return conducted{Result: result, before: r.Before}, err
}

// usageOfReplay makes what was asked for and is not there wrong usage.
func usageOfReplay(err error) error {
	if errors.Is(err, outcome.ErrSelection) || errors.Is(err, round.ErrRunning) || errors.Is(err, miners.ErrUnusable) {
		return command.UsageError{Err: err}
	}
	return err
}
