package main

import (
	"context"
	"errors"
	"os"
	"os/user"
	"strconv"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
)

// roundOrderFlag makes a pause or a resume one of a round.
func roundOrderFlag(usage string) cli.Flag {
	return &cli.BoolFlag{
		Name:     "round",
		Category: groupRound,
		Sources:  command.Env("round"),
		Usage:    usage,
	}
}

// giveOrder gives an order and prints what it has done. It declares no stream, whatever its
// user may do. An order that is refused is wrong usage.
func giveOrder(ctx context.Context, c *cli.Command, give func(context.Context, *jobstream.Bus) (view.Steered, error)) error {
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		did, err := give(ctx, bus)
		if no, is := errors.AsType[*steering.RefusedError](err); is {
			return command.UsageError{Err: no}
		}
		if err != nil {
			return err
		}
		return printAnswer(c, did, page.Steered)
	})
}

// namedRound is the round that an order names; "" for the only one that runs. Without
// --round a name is wrong usage: the order would go to the schedule.
func namedRound(c *cli.Command) (string, error) {
	switch n := c.Args().Len(); {
	case n > 1:
		return "", command.Usage("%d arguments: want one round at most", n)
	case n == 1 && !c.Bool("round"):
		return "", command.Usage("%q: the schedule has no rounds to choose from; --round %[1]s names a round", c.Args().First())
	}
	return c.Args().First(), nil
}

// whoOrders names the operator to others: the user and the machine.
func whoOrders() string {
	name := strconv.Itoa(os.Getuid())
	if who, err := user.Current(); err == nil && who.Username != "" {
		name = who.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
