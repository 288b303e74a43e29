package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

func tokensCommand() *cli.Command {
	return &cli.Command{
		Name:  "tokens",
		Usage: "list the miners without a usable access token, and since when",
		Description: "It looks at the last rounds of the schedule, as they were planned, or at all rounds if none is of the schedule.\n" +
			"It reads only NATS, which stores no token, but only each token's state.\n\n" +
			"Examples:\n" +
			"  producer tokens --local\n" +
			"  producer tokens --nats nats://nats:4222 --json",
		Flags:  readFlags(),
		Action: coverage,
	}
}

// coverage is `producer tokens`.
func coverage(ctx context.Context, c *cli.Command) error {
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		tokens, err := view.TokensOf(ctx, bus)
		if err != nil {
			return notThere(err)
		}
		return printAnswer(c, tokens, page.Tokens)
	})
}
