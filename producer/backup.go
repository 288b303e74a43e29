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
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/command"
)

const groupBackup = "The backup"

func backupCommand() *cli.Command {
	return &cli.Command{
		Name:  "backup",
		Usage: "write what NATS keeps of the fleet to a directory, while rounds run",
		Description: "DIR must be empty or not exist. It gets a file for each stream and bucket, and at the end a manifest: a directory\n" +
			"without one is not a backup. A backup contains digests of tokens, so only its owner can read it. producer restore\n" +
			"puts it into other servers. docs/backup.md says how often to take one, and what to do after a loss.\n\n" +
			"Examples:\n" +
			"  producer backup backups/today --nats nats://nats:4222\n" +
			"  producer backup backups/today --local",
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{
				Name:     "scores",
				Category: groupBackup,
				Sources:  command.Env("scores"),
				Usage:    "include the cache of token scores; without it the first round of a restored fleet fetches every file again",
			},
			backupJSON(),
			// Nothing of Redis: it holds no lasting data (docs/backup.md).
		}, backupFlags("back up the local rounds of --state, whether or not a producer runs there"),
			only(command.Servers(), append(command.NATSFiles(), "nats", "connect-timeout")...), command.Observability()),
		Arguments: []cli.Argument{&cli.StringArg{Name: "dir", UsageText: "DIR"}},
		Action:    takeBackup,
	}
}

// takeBackup is `producer backup`. Progress goes to standard error, so that --json
// prints nothing but the manifest.
func takeBackup(ctx context.Context, c *cli.Command) error {
	dir, err := backupDir(c)
	if err != nil {
		return err
	}
	// Reading needs no fresh servers: session.OpenState joins the producer that runs on --state.
	return withNATS(ctx, c, session.OpenState, func(ctx context.Context, nc *nats.Conn, _ *slog.Logger) error {
		progress := page.NewTransfer(os.Stderr)
		taken, err := backup.Take(ctx, nc, backup.Config{Dir: dir, Scores: c.Bool("scores"), Progress: progress.Moved})
		progress.End() // first of all: until then the progress line has the terminal
		if err != nil {
			return err
		}
		return printAnswer(c, taken, func(w io.Writer, m backup.Manifest) error { return page.Backup(w, m, dir) })
	})
}
