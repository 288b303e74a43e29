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
		Usage: "put a backup into servers of NATS that hold nothing yet",
		Description: "DIR is what producer backup wrote. All of it is checked before anything is written: one that is damaged, cut short,\n" +
			"of another version or of another fleet is refused, and so are servers that hold streams already. It overwrites and\n" +
			"deletes nothing; one that was stopped resumes where it was. No producer or worker may run on the servers.\n\n" +
			"Examples:\n" +
			"  producer restore backups/today --replicas 3 \\\n" +
			"      --nats nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222\n" +
			"  producer restore backups/today --local --state elsewhere",
		Flags: slices.Concat([]cli.Flag{backupJSON()}, backupFlags("restore into the state directory --state, on which no producer runs"),
			only(slices.Concat(command.Servers(), command.Streams()),
				append(command.NATSFiles(), "nats", "connect-timeout", "replicas")...), command.Seeing()),
		Arguments: []cli.Argument{&cli.StringArg{Name: "dir", UsageText: "DIR"}},
		Action:    restoreBackup,
	}
}

// restoreBackup is `producer restore`.
func restoreBackup(ctx context.Context, c *cli.Command) error {
	dir, err := backupDir(c)
	if err != nil {
		return err
	}
	return withNATS(ctx, c, freshState, func(ctx context.Context, nc *nats.Conn, log *slog.Logger) error {
		progress := page.NewTransfer(os.Stderr)
		done, err := backup.Restore(ctx, nc, backup.Config{
			Dir: dir, Replicas: c.Int("replicas"), Wait: c.Duration("connect-timeout"), Progress: progress.Moved,
		}, log)
		progress.End()
		if err != nil {
			return refusedBackup(err)
		}
		return printAnswer(c, done, func(w io.Writer, r backup.Restored) error { return page.Restored(w, r, dir) })
	})
}

// freshState starts the servers of a state directory on which nobody runs. One
// that does not exist is made.
func freshState(ctx context.Context, dir string, log *slog.Logger) (address string, closeServers func() error, err error) {
	if found, err := local.Find(dir); err == nil {
		return "", nil, command.Usage("--state %s: process %d runs on it: a restore beside a running producer is refused", dir, found.PID)
	} else if !errors.Is(err, local.ErrNotRunning) {
		return "", nil, command.Usage("--state: %w", err)
	}
	servers, err := local.Start(ctx, local.Config{Dir: dir, Log: log})
	if err != nil {
		return "", nil, command.Usage("--state: %w", err)
	}
	return servers.NATSURL(), servers.Close, nil
}
