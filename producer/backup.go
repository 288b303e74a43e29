package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/backup"
	"mirrorfleet/producer/page"
	"mirrorfleet/shared/command"
)

const groupBackup = "The backup"

func backupCommand() *cli.Command {
	return &cli.Command{
		Name:  "backup",
		Usage: "write what NATS keeps of the fleet to a directory, while rounds go on",
		Description: "DIR must be empty, or not exist yet. It gets a file for each stream and bucket, and a manifest at the end: without\n" +
			"that it is no backup. It holds digests of tokens, so it is for its owner alone. producer restore puts it into other\n" +
			"servers. docs/backup.md says how often, and what to do after a loss.\n\n" +
			"Examples:\n" +
			"  producer backup backups/today --nats nats://nats:4222\n" +
			"  producer backup backups/today --local",
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{
				Name: "scores", Category: groupBackup, Sources: command.Env("scores"),
				Usage: "take the cache of token scores along: without it a restored fleet's first round fetches every file again",
			},
			backupJSON(),
		}, backupFlags("back up the local rounds of --state, whether a producer runs there or none"),
			only(command.Servers(), append(command.NATSFiles(), "nats", "connect-timeout")...), command.Seeing()),
		Arguments: []cli.Argument{&cli.StringArg{Name: "dir", UsageText: "DIR"}},
		Action:    takeBackup,
	}
}

// takeBackup is `producer backup`.
func takeBackup(ctx context.Context, c *cli.Command) error {
	dir, err := backupDir(c)
	if err != nil {
		return err
	}
	return withNATS(ctx, c, openState, func(ctx context.Context, nc *nats.Conn, _ *slog.Logger) error {
		progress := page.NewTransfer(os.Stderr)
		taken, err := backup.Take(ctx, nc, backup.Config{Dir: dir, Scores: c.Bool("scores"), Progress: progress.Moved})
		progress.End()
		if err != nil {
			return refusedBackup(err)
		}
		return printAnswer(c, taken, func(w io.Writer, m backup.Manifest) error { return page.Backup(w, m, dir) })
	})
}
