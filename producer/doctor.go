package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/plural"
)

const groupDoctor = "Checks"

// lookedAtFlags say what is looked at beside the servers, and for how long.
func lookedAtFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:     "worker-nats",
			Category: groupDoctor,
			Sources:  command.Env("worker-nats"),
			Usage:    "`URL` that workers are given, if they log in as another user than --nats does",
		},
		&cli.StringFlag{
			Name:      "worker-nats-creds",
			Category:  groupDoctor,
			Sources:   command.Env("worker-nats-creds"),
			TakesFile: true,
			Usage:     "`FILE` that workers are given as --nats-creds",
		},
		&cli.StringFlag{
			Name:      "worker-nats-nkey",
			Category:  groupDoctor,
			Sources:   command.Env("worker-nats-nkey"),
			TakesFile: true,
			Usage:     "`FILE` that workers are given as --nats-nkey",
		},
		&cli.StringFlag{
			Name:     "grammars",
			Category: groupDoctor,
			Sources:  command.Env("grammars"),
			Usage:    "`DIR` with the parser and its grammars; without it the one beside the worker",
		},
		&cli.StringFlag{
			Name:     "tokens",
			Category: groupDoctor,
			Sources:  command.Env("tokens"),
			Usage:    "`FILE` of the miners' stored access tokens: it must parse as for serve, and other users must not read it",
		},
		&cli.StringFlag{
			Name:     "metagraph",
			Category: groupDoctor,
			Sources:  command.Env("metagraph"),
			Usage:    "`FILE` with the export of the metagraph: it must parse as for serve, and be no older than --metagraph-max-age",
		},
		&cli.DurationFlag{
			Name:      "connect-timeout",
			Category:  groupDoctor,
			Sources:   command.Env("connect-timeout"),
			Value:     doctor.DefaultWait,
			Usage:     "how long to retry a server that cannot be reached",
			Validator: command.Positive,
		},
		&cli.DurationFlag{
			Name:     "check-timeout",
			Category: groupDoctor,
			Sources:  command.Env("check-timeout"),
			Value:    30 * time.Second,
			Usage:    "how long each check may take; they run side by side",
		},
	}
}

func doctorCommand() *cli.Command {
	flags := slices.Concat(lookedAtFlags(), only(slices.Concat(minerFlags(), roundFlags()),
		"metagraph-max-age", "miners", "registry", "weights", "unloadable"),
		lookFlags("check what local rounds need, and the servers of the round that runs on --state"),
		only(slices.Concat(localFlags(), command.Servers(), command.Streams()),
			slices.Concat([]string{"workers", "nats", "redis", "replicas", "lease"}, command.NATSFiles(), command.RedisFiles())...))
	return &cli.Command{
		Name:  "doctor",
		Usage: "check everything that an installation needs, and say how to fix each fault",
		Description: "It changes nothing that a round uses. It takes one permit, sends one request to the mirror with it, and writes\n" +
			"two bytes under one key of two buckets, to see whether NATS confirms writes.\n" +
			"Exit code 0 when all is well, warnings allowed; 1 when there is a fault; 2 for wrong usage.\n\n" +
			"Examples:\n" +
			"  producer doctor --nats nats://nats:4222 --nats-creds producer.creds \\\n" +
			"      --worker-nats-creds worker.creds --redis redis://redis:6379/0 \\\n" +
			"      --egress eu-1 --miners miners.json --registry master_repositories.json\n" +
			"  producer doctor --local",
		Flags:  slices.Concat(flags, command.Mirror(), command.Limit(), egressFlags(), command.Observability()),
		Action: examine,
	}
}

// examine is `producer doctor`. The log level is checked and nothing is logged: every
// finding is on standard output. Faults set exit code 1 without a further message.
func examine(ctx context.Context, c *cli.Command) error {
	if _, err := fleet.Logger(c, os.Stderr); err != nil {
		return err
	}
	checks, err := checksOf(c)
	if err != nil {
		return err
	}
	found := doctor.Run(ctx, checks, c.Duration("check-timeout"))
	if ctx.Err() != nil {
		return command.ErrInterrupted
	}
	diagnosis := doctor.Diagnose(found)
	if err = printAnswer(c, diagnosis, page.Diagnosis); err == nil && diagnosis.Faults > 0 {
		return command.Silent(errors.New(plural.Of(diagnosis.Faults, "fault")))
	}
	return err
}

// checksOf returns the checks that the flags ask for, in the order in which they are
// printed. They run side by side: a check that another one decides (the clocks need
// what the mirror check has measured) waits for it on a channel.
func checksOf(c *cli.Command) ([]doctor.Check, error) {
	o := commonOptions(c)
	if err := o.check(c); err != nil {
		return nil, err
	}
	if c.Duration("check-timeout") < time.Second { // in less, a slow answer would count as none
		return nil, command.Usage("--check-timeout %s: want at least 1s", c.Duration("check-timeout"))
	}
	e, err := examinationOf(c, o, cmp.Or(c.String("worker-nats"), c.String("nats")))
	if err != nil {
		return nil, err
	}
	checks := slices.Concat(e.servers, []doctor.Check{doctor.Grammars(session.Beside("worker"), c.String("grammars"))}, e.files)
	switch {
	case o.world != "": // a simulated mirror starts with the round: there is none to check now
	case e.cfg.Redis == "":
		checks = append(checks, doctor.NotAsked("the bucket of a local round exists only while the round runs"))
	default:
		clock := make(chan doctor.Clock, 1)
		checks = append(checks, doctor.Mirror{
			URL:    o.mirror,
			Redis:  e.cfg.Redis,
			Files:  e.cfg.RedisFiles,
			Limit:  e.cfg.Limit,
			Source: e.cfg.Source,
			Log:    e.cfg.Limit.Log,
			Now:    time.Now(),
			Clock:  clock,
		}.Check())
		e.clocks.Mirror = clock
	}
	if !o.local { // all servers of a local round share this machine's clock
		checks = append(checks, e.clocks.Check())
	}
	return checks, nil
}
