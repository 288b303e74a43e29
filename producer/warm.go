package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/warmup"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/terminal"
)

func warmCommand() *cli.Command {
	return &cli.Command{
		Name:  "warm",
		Usage: "have workers fetch what the score cache lacks, ahead of a round that is run by hand",
		Description: "It ends when the pull requests of all miners have been looked at, when a round begins, or after --warm-up.\n" +
			"Nothing but the score cache changes. While a round runs it waits.\n" +
			"Exit code 0 when all miners were looked at, 1 when not, 2 for wrong usage or input.\n\n" +
			"Examples:\n" +
			"  producer warm --nats nats://nats:4222 \\\n" +
			"      --miners miners.json --registry master_repositories.json\n" +
			"  producer warm --nats nats://nats:4222 --tokens miner_pats.json \\\n" +
			"      --metagraph metagraph.json --registry master_repositories.json",
		// No Redis and no limit: workers send the requests, and take the permits for them.
		Flags: slices.Concat(warmUpFlags("how long it may take", time.Second),
			only(roundFlags(), "miners", "registry", "weights", "unloadable", "json"), minerFlags(),
			only(command.Servers(), append(command.NATSFiles(), "nats", "connect-timeout")...), only(command.Mirror(), "mirror"),
			command.Observability()),
		Action: warm,
	}
}

// warm is `producer warm`. It writes to streams, so it opens them as a producer, which also
// declares missing ones. Two warm-ups at once do no harm: the later one replaces the other.
func warm(ctx context.Context, c *cli.Command) (err error) {
	if c.String("nats") == "" {
		return command.Usage("--nats is required: give its URL")
	}
	// The list of miners comes from one place: a file as for run, or the two files of serve.
	if c.String("registry") == "" || (c.String("miners") == "") == (c.String("tokens") == "" || c.String("metagraph") == "") {
		return command.Usage("--registry is required, and either --miners, or --tokens and --metagraph: they say whose pull requests are fetched")
	}
	// The log goes through the screen, which redraws the progress line below each message.
	screen := terminal.NewScreen(os.Stderr)
	log, err := fleet.Logger(c, screen)
	if err != nil {
		return err
	}
	observability, err := fleet.Observe(ctx, c, "producer", "", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, observability.Close()) }()
	bus, closeBus, err := connectStreams(ctx, c, "producer-warm", c.String("nats"), fleet.NATSFiles(c), jobstream.Config{Log: log})
	if err != nil {
		return err
	}
	defer closeBus()
	// After connecting, because looking up the accounts of tokens uses the identities that
	// earlier rounds have kept in NATS.
	inputs, err := toWarm(ctx, c, bus, log)
	if err != nil {
		return err
	}
	last, err := warmup.Run(ctx, warmup.Config{
		Bus:      bus,
		Inputs:   inputs,
		Until:    time.Now().Add(c.Duration("warm-up")),
		Share:    c.Float("warm-up-share"),
		Log:      log,
		Progress: warmProgress(screen),
	})
	if err != nil {
		return err
	}
	return tellWarm(ctx, c, last)
}

// toWarm plans the round that is warmed up for. The plan is never stored as a round: its
// name becomes the warm-up's ID. The miners' tokens do not leave this process.
func toWarm(ctx context.Context, c *cli.Command, bus *jobstream.Bus, log *slog.Logger) (m job.Manifest, err error) {
	files := session.InputFiles{
		Miners:     c.String("miners"),
		Registry:   c.String("registry"),
		Weights:    c.String("weights"),
		Unloadable: nonEmpty(c.StringSlice("unloadable")),
	}
	if files.Miners != "" {
		return files.Plan(c.String("mirror"), time.Now())
	}
	github, err := miners.NewGitHub(miners.Config{BaseURL: c.String("github"), Log: log})
	if err != nil {
		return m, command.Usage("--github: %w", err)
	}
	defer github.Close()
	source := miners.Source{
		Tokens:    c.String("tokens"),
		Metagraph: c.String("metagraph"),
		MaxAge:    c.Duration("metagraph-max-age"),
		GitHub:    github,
		Bus:       bus,
		Log:       log,
	}
	list, err := source.Foresee(ctx, time.Now()) // keeps nothing of what GitHub answers, unlike a round
	if err != nil {
		return m, err
	}
	return files.PlanOf(list, c.String("mirror"), time.Now())
}

// warmProgress shows at a terminal how far the warm-up is. Elsewhere the log has its
// beginning and its end, and lines in between would tell no more.
func warmProgress(screen *terminal.Screen) func(left, miners int) {
	return func(left, miners int) {
		if terminal.Of(screen).Width > 0 {
			line := page.WarmUp(view.WarmUp{Miners: miners, Done: miners - left, Running: true})
			_ = screen.Draw(func(int) []string { return []string{line} }) // a terminal that is gone is none
		}
	}
}

// errNotWarm says that not all miners were looked at. The round makes up for it, so exit
// code 1 only means that it takes longer.
var errNotWarm = errors.New("not every miner was warmed up")

// tellWarm prints how the warm-up ended. A warm-up without an ID never began, so there is
// no state to print.
func tellWarm(ctx context.Context, c *cli.Command, last job.WarmUp) error {
	switch {
	case ctx.Err() != nil:
		return command.ErrInterrupted
	case last.ID == "":
		return fmt.Errorf("%w: jobs of a round were in the queue for all of --warm-up", errNotWarm)
	}
	if err := printAnswer(c, view.WarmUpOf(last, time.Now()), page.WarmedUp); err != nil {
		return err
	}
	if last.Why != job.WarmUpDone || last.Left > 0 {
		return command.Silent(errNotWarm)
	}
	return nil
}
