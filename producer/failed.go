package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/terminal"
)

func failedCommand() *cli.Command {
	return &cli.Command{
		Name:  "failed",
		Usage: "list the miners of a round that failed, or lack something",
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

// failures are what `producer failed` prints of a round as it stands.
type failures struct{ answer.Round }

// failed is `producer failed`.
func failed(ctx context.Context, c *cli.Command) error {
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) (err error) {
		name := orLatest(c.StringArg("round"))
		if name == answer.Latest {
			if name, err = lastPlanned(ctx, bus); err != nil {
				return err
			}
		}
		stands, err := answer.RoundOf(ctx, bus, name, time.Now())
		if err != nil {
			return notThere(err)
		}
		return printAnswer(c, failures{stands})
	})
}

func (f failures) render(w io.Writer) error {
	unknown := 0
	for _, one := range f.Failures {
		if one.Class == outcome.ClassIdentity {
			unknown++
		}
	}
	heading := fmt.Sprintf("Round %s: %d failed, %d degraded, %d outstanding", f.Round.Round, f.Failed, f.Degraded, f.Outstanding)
	if unknown > 0 {
		heading += fmt.Sprintf(", %d of unknown identity", unknown)
	}
	if err := writeFailures(w, heading, f.Failures, f.Replaying); err != nil {
		return err
	}
	p := newPage(w)
	printDamaged(p, f.Damaged)
	if text := f.wayOut(unknown > 0); text != "" {
		p.textf(0, "%s", text)
	}
	return p.writeTo(w)
}

// wayOut says what mends what a round lacks; "" if it lacks nothing, or a producer is at
// it.
func (f failures) wayOut(identities bool) string {
	switch {
	case f.State == answer.Stopped:
		return "No producer runs the round: producer run --resume " + f.Round.Round + " resumes it."
	case f.State == answer.Damaged:
		return "Its last outcome cannot be read: producer run --resume " + f.Round.Round + " makes it anew."
	case f.State == answer.Concluded && len(f.Failures) > 0:
		return remedy(f.Round.Round, identities)
	}
	return ""
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
	if undeclared := neverRun(err); undeclared != nil {
		return command.Usage("there is no round yet: %w", undeclared)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus()) }()
	return do(ctx, bus)
}

// neverRun finds in an error that servers have none of the streams, because no producer
// has run on them; nil for any other error.
func neverRun(err error) error {
	if undeclared, is := errors.AsType[*jobstream.UndeclaredError](err); is && undeclared.All {
		return undeclared
	}
	return nil
}

// lastPlanned is the round that was planned last, which may still run.
func lastPlanned(ctx context.Context, bus *jobstream.Bus) (string, error) {
	rounds, err := bus.Rounds.List(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("listing the rounds: %w", err)
	case len(rounds) == 0:
		return "", command.Usage("there is no round yet")
	}
	return rounds[len(rounds)-1], nil
}

// writeFailures prints a page: two lines or more for each miner.
func writeFailures(w io.Writer, heading string, ended []outcome.Failed, replaying []int) error {
	p := newPage(w)
	p.headingf("%s", heading)
	if len(replaying) > 0 {
		p.textf(0, "being replayed: %s", numbers(replaying))
	}
	if len(ended) > 0 {
		p.blank()
		p.painted(terminal.Head, func() { p.linef("%6s  %-9s  %8s  %-16s  %s", "UID", "CLASS", "ATTEMPTS", "WORKER", "TRACE") })
	}
	for _, one := range ended {
		colour := terminal.Bad
		if one.Class == outcome.ClassDegraded || one.Class == outcome.ClassIdentity {
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
