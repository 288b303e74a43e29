package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/ratelimit"
)

const groupCancel = "Selection"

func cancelCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name:     "uid",
			Category: groupCancel,
			Sources:  command.Env("uid"),
			Usage:    "only the jobs of these miners: `N,...`; the round continues with the others",
		},
		&cli.StringFlag{
			Name:      "reason",
			Category:  groupCancel,
			Sources:   command.Env("reason"),
			Usage:     "`TEXT` that the dead letters repeat",
			Validator: bounded.CheckOrderText,
		},
	}
	return &cli.Command{
		Name:  "cancel",
		Usage: "end a round, a replay, or the jobs of some miners now, with what there is",
		Description: "ROUND is a round's name, or \"latest\" for the last one that was planned. Outstanding jobs become dead letters of\n" +
			"class cancelled, and stored pull requests stand in. A worker that has such a job commits nothing. Miners of a\n" +
			"cancelled replay keep the evaluations that they had before it. The order is stored first. The producer that runs\n" +
			"the round carries it out, or the producer that takes over from it. Where no producer runs the round, this command\n" +
			"concludes it, without workers. It waits until the round is concluded, or the jobs have ended. Exit code 0 then, 1\n" +
			"when it failed, 2 when there is nothing to cancel.\n\n" +
			"Examples:\n" +
			"  producer cancel latest --local\n" +
			"  producer cancel latest --local --uid 5,17 --reason \"their mirror is away\"\n" +
			"  producer cancel 20260618t185400z-0a1b2c \\\n" +
			"      --nats nats://nats:4222 --redis redis://redis:6379/0",
		Flags: slices.Concat(flags, only(lookFlags("cancel a local round of --state, whether or not a producer runs there"), "json", "local"),
			only(localFlags(), "state", "world"),
			otherFlags(), signingFlags(), command.Servers(), command.Streams(), command.Mirror(),
			command.Limit(), egressFlags(), command.Observability()),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "ROUND"}},
		Action:    cancel,
	}
}

// cancel is `producer cancel`.
func cancel(ctx context.Context, c *cli.Command) error {
	o, order, err := readCancel(c)
	if err != nil {
		return err
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	return o.inSession(ctx, c, log, useRunning, func(s *session.Session) error {
		stored := false
		v, err := s.Cancel(ctx, order, func(ordered round.Cancelled) {
			stored = true
			fmt.Fprintln(os.Stderr, page.Ordered(ordered.Round, ordered.UIDs, ordered.Already))
		})
		switch {
		case errors.Is(err, round.ErrCancel):
			return command.UsageError{Err: err}
		case err != nil && ctx.Err() != nil && stored: // the signal ends only the wait
			return fmt.Errorf("%w; the order is stored: the producer that runs the round carries it out", command.ErrInterrupted)
		case err != nil:
			return notThere(err)
		}
		return printAnswer(c, v, page.Cancelled)
	})
}

// readCancel reads and checks the flags.
func readCancel(c *cli.Command) (o options, order job.CancelOrder, err error) {
	o = commonOptions(c)
	if o.resume = c.StringArg("round"); o.resume == "" {
		return o, order, command.Usage("which round? Give its name, or \"latest\" (%s --help shows the usage)", c.FullName())
	}
	order.By, order.Reason = command.Operator(), c.String("reason")
	if order.UIDs, err = readUIDs(c); err != nil {
		return o, order, err
	}
	return o, order, o.check(c)
}

// useRunning makes a local session use the servers of the process that runs on the state
// directory. Without one the session starts its own, and the simulated mirror if the round
// has one.
func useRunning(cfg *session.Config) error {
	if !cfg.Local {
		return nil
	}
	found, err := local.Find(cfg.State)
	if errors.Is(err, local.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return command.Usage("--state: %w", err)
	}
	cfg.Local, cfg.World = false, ""
	cfg.Servers.NATS = found.NATS
	cfg.Servers.Redis = found.Redis
	cfg.Servers.NATSFiles = jobstream.Files{}
	cfg.Servers.RedisFiles = ratelimit.Files{}
	return nil
}
