package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/backup"
	"mirrorfleet/producer/page"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/local"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name:  "restore",
		Usage: "restore a backup into empty NATS servers",
		Description: "DIR is what producer backup wrote. The whole backup is checked before anything is written: a backup that is\n" +
			"damaged, cut short, of another version or of another fleet is refused, and so are servers that already have\n" +
			"streams. Nothing is overwritten or deleted. A restore that was interrupted resumes when it is run again. No\n" +
			"producer or worker may run on the servers.\n\n" +
			"Examples:\n" +
			"  producer restore backups/today --replicas 3 \\\n" +
			"      --nats nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222\n" +
			"  producer restore backups/today --local --state elsewhere",
		Flags: slices.Concat([]cli.Flag{backupJSON()}, backupFlags("restore into the state directory --state, on which no producer runs"),
			only(slices.Concat(command.Servers(), command.Streams()),
				append(command.NATSFiles(), "nats", "connect-timeout", "replicas")...), command.Observability()),
		Arguments: []cli.Argument{&cli.StringArg{Name: "dir", UsageText: "DIR"}},
		Action:    restoreBackup,
	}
}

// restoreBackup is `producer restore`. --connect-timeout is used twice: for the connection,
// and for a cluster that is connected and still forms.
func restoreBackup(ctx context.Context, c *cli.Command) error {
	dir, err := backupDir(c)
	if err != nil {
		return err
	}
	return withNATS(ctx, c, freshState, func(ctx context.Context, nc *nats.Conn, log *slog.Logger) error {
		progress := page.NewTransfer(os.Stderr)
		done, err := backup.Restore(ctx, nc, backup.Config{
			Dir:      dir,
			Replicas: c.Int("replicas"),
			Wait:     c.Duration("connect-timeout"),
			Progress: progress.Moved,
		}, log)
		progress.End()
		if err != nil {
			return err
		}
		return printAnswer(c, done, func(w io.Writer, r backup.Restored) error { return page.Restored(w, r, dir) })
	})
}

// freshState starts the servers of a state directory that no process uses, and makes
// the directory if it does not exist. A running producer is refused because it would
// declare the streams that the restore must create.
func freshState(ctx context.Context, dir string, log *slog.Logger) (address string, closeServers func() error, err error) {
	if found, err := local.Find(dir); err == nil {
		return "", nil, command.Usage("--state %s: process %d uses it: stop that producer before a restore", dir, found.PID)
	} else if !errors.Is(err, local.ErrNotRunning) {
		return "", nil, command.Usage("--state: %w", err)
	}
	servers, err := local.Start(ctx, local.Config{Dir: dir, Log: log})
	if err != nil {
		return "", nil, command.Usage("--state: %w", err)
	}
	return servers.NATSURL(), servers.Close, nil
}
