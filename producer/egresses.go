package main

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/ratelimit"
)

func egressesCommand() *cli.Command {
	flags := slices.Concat(lookFlags("find both servers of the local round that runs on --state"),
		only(command.Servers(), slices.Concat([]string{"nats", "redis", "connect-timeout"}, command.NATSFiles(), command.RedisFiles())...))
	return &cli.Command{
		Name:  "egresses",
		Usage: "list the egresses, with the state of each one's bucket",
		Description: "It lists the egresses that the fleet has declared and every bucket in Redis: permits of the last minute, cool-down,\n" +
			"and a hold with who holds the egress and why. Buckets in use that are not declared are pointed out. If NATS does not\n" +
			"answer or is not given, what is declared is unknown. `producer limit` shows one bucket in full, holds and releases it.\n\n" +
			"Examples:\n" +
			"  producer egresses --redis redis://redis:6379/0 --nats nats://nats:4222\n" +
			"  producer egresses --local --json",
		Flags:  append(flags, command.Observability()...),
		Action: egresses,
	}
}

// egresses is `producer egresses`. The declaration only adds to the buckets: if it cannot be
// read, the log says why.
func egresses(ctx context.Context, c *cli.Command) (err error) {
	where, err := bucketServersOf(c)
	if err != nil {
		return err
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	rdb, err := where.openRedis(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	buckets, err := where.buckets(ctx, rdb)
	if err != nil {
		return err
	}
	if unread := ratelimit.Unread(buckets); unread != nil {
		log.WarnContext(ctx, "the addresses of an egress are not shown: Redis does not give them", "error", unread)
	}
	declared, err := where.declared(ctx, log)
	if err != nil {
		log.WarnContext(ctx, "the declared egresses cannot be read", "error", err)
	}
	return printAnswer(c, view.EgressesOf(buckets, declared), page.Egresses)
}
