package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/terminal"
)

func failedCommand() *cli.Command {
	return &cli.Command{
		Name:  "failed",
		Usage: "list the dead and the degraded miners of a round",
		Description: "ROUND is a round's name, or \"latest\" (the default) for the last one that was planned, which may still run.\n" +
			"It reads NATS alone.\n\n" +
			"Examples:\n" +
			"  producer failed --local\n" +
			"  producer failed 20260618t185400z-0a1b2c --nats nats://nats:4222 --json",
		Flags:     readFlags(),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "[ROUND]"}},
		Action:    failed,
	}
}

// failedList is what `producer failed` prints, and `producer replay --dry-run`
// of what it would run.
type failedList struct {
	Round       string         `json:"round"`
	Outstanding int            `json:"outstanding"`
	Replaying   []int          `json:"replaying,omitempty"`
	Failed      []round.Failed `json:"failed"`
}

// failed is `producer failed`.
func failed(ctx context.Context, c *cli.Command) error {
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		name, err := plannedRound(ctx, bus, c.StringArg("round"))
		if err != nil {
			return err
		}
		failures, err := round.ReadFailures(ctx, bus, name)
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return printJSON(c.Root().Writer, failedList{name, failures.Outstanding, failures.Replaying, failures.Ended})
		}
		return writeFailures(c.Root().Writer, fmt.Sprintf("Round %s: %d dead or degraded, %d outstanding",
			name, len(failures.Ended), failures.Outstanding), failures)
	})
}

// withBus does something with the streams alone.
func withBus(ctx context.Context, c *cli.Command, do func(context.Context, *jobstream.Bus) error) (err error) {
	if err := natsGiven(c); err != nil {
		return err
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	bus, closeBus, err := openBus(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus()) }()
	return do(ctx, bus)
}

// plannedRound is the round of a name; "latest" and "" are the last planned.
func plannedRound(ctx context.Context, bus *jobstream.Bus, name string) (string, error) {
	rounds, err := bus.Rounds(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("listing the rounds: %w", err)
	case len(rounds) == 0:
		return "", command.Usage("there is no round yet")
	case name == "" || name == latest:
		return rounds[len(rounds)-1], nil
	case !slices.Contains(rounds, name):
		return "", command.Usage("there is no round %q; %s", name, listed(rounds))
	}
	return name, nil
}

// concludedRound is the same, but "latest" is the last one with an outcome.
func concludedRound(ctx context.Context, bus *jobstream.Bus, name string) (string, error) {
	if name != latest {
		return plannedRound(ctx, bus, name)
	}
	result, err := readRound(ctx, bus, latest, 0)
	return result.Round, err
}

// writeFailures prints a page: two lines or more for each miner.
func writeFailures(w io.Writer, heading string, f round.Failures) error {
	p := newPage(w)
	p.headingf("%s", heading)
	if len(f.Replaying) > 0 {
		p.textf(0, "being replayed: %s", numbers(f.Replaying))
	}
	if len(f.Ended) > 0 {
		p.blank()
		p.painted(terminal.Head, func() { p.linef("%6s  %-9s  %8s  %-16s  %s", "UID", "CLASS", "ATTEMPTS", "WORKER", "TRACE") })
	}
	for _, one := range f.Ended {
		colour := terminal.Bad
		if one.Class == round.ClassDegraded {
			colour = terminal.Warn
		}
		p.painted(colour, func() {
			p.linef("%6d  %-9s  %8d  %-16s  %s", one.UID, one.Class, one.Attempts, clipped(one.Worker, 16), one.Trace)
		})
		p.textf(8, "%s", one.Error)
	}
	return p.writeTo(w)
}

// clipped keeps the end of a name, which tells processes of one host apart.
func clipped(name string, most int) string {
	runes := []rune(name)
	if len(runes) <= most {
		return name
	}
	return "…" + string(runes[len(runes)-most+1:])
}
