package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

func workersCommand() *cli.Command {
	return &cli.Command{
		Name:  "workers",
		Usage: "list the worker processes, with what each one does",
		Description: "It lists the worker processes of the last day by their signs of life, which each of them shows every three\n" +
			"seconds: its version, host, egress and slots, the jobs that it has and what they wait for, and its requests of the\n" +
			"last minute. A process that has reported its end is listed as left, and one that has stopped reporting as\n" +
			"silent. It reads only NATS.\n\n" +
			"Examples:\n" +
			"  producer workers --local\n" +
			"  producer workers --nats nats://nats:4222\n" +
			"  producer workers --nats nats://nats:4222 --json",
		Flags:  readFlags(),
		Action: workers,
	}
}

// workers is `producer workers`.
func workers(ctx context.Context, c *cli.Command) error {
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		all, err := view.ReadWorkers(ctx, bus)
		if err != nil {
			return err
		}
		return printAnswer(c, all, page.Workers)
	})
}
