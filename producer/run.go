package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/session"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/listen"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "run one scoring round to its end",
		Description: "Exit code 0 only for a complete round, 1 for a round that failed or lacks something, 2 for wrong usage or input.\n\n" +
			"Examples:\n" +
			"  producer run --local\n" +
			"  producer run --local --web 127.0.0.1:8440\n" +
			"  producer run --local --world git:../chi,../cobra --workers 4\n" +
			"  producer run --local --mirror https://mirror.gittensor.io \\\n" +
			"      --miners miners.json --registry master_repositories.json\n" +
			"  producer run --nats nats://nats:4222 --redis redis://redis:6379/0 \\\n" +
			"      --miners miners.json --registry master_repositories.json",
		Flags: slices.Concat(roundFlags(), localFlags(), otherFlags(), signingFlags(), command.Servers(), command.Streams(),
			command.Mirror(), []cli.Flag{allIssuesFlag()}, command.Limit(), egressFlags(), command.WhoAmI(),
			command.Observability(), command.Listen(), traceFlags(),
			[]cli.Flag{webFlag()}),
		Action: run,
	}
}

// run is `producer run`. conduct does what run and replay share: it opens a session, shows
// the round while it runs, and prints the outcome.
func run(ctx context.Context, c *cli.Command) error {
	o, err := readRunOptions(c)
	if err != nil {
		return err
	}
	return conduct(ctx, c, o, func(ctx context.Context, s *session.Session) (conducted, error) {
		result, err := s.Run(ctx)
		return conducted{Result: result}, err
	})
}

// readRunOptions reads and checks the flags. A resumed round needs no inputs: they are
// in its manifest, and files that are given all the same must match it.
func readRunOptions(c *cli.Command) (options, error) {
	o := commonOptions(c)
	o.resume = c.String("resume")
	o.files = session.InputFiles{
		Miners:     c.String("miners"),
		Registry:   c.String("registry"),
		Weights:    c.String("weights"),
		AsOf:       c.String("as-of"),
		Unloadable: nonEmpty(c.StringSlice("unloadable")),
	}
	if err := o.check(c); err != nil {
		return o, err
	}
	if o.web = c.String("web"); o.web != "" && !listen.Loopback(o.web) {
		return o, command.Usage("--web %s can be reached from other machines: want a loopback address such as 127.0.0.1:8440; "+
			"producer serve --api serves others, with TLS", o.web)
	}
	switch {
	case o.world != "" && (o.files.Miners != "" || o.files.Registry != ""):
		return o, command.Usage("--world has its own miners and registry: leave out --miners and --registry")
	case o.world == "" && o.resume == "" && (o.files.Miners == "" || o.files.Registry == ""):
		return o, command.Usage("--miners and --registry are required, or --local with a --world")
	}
	return o, nil
}
