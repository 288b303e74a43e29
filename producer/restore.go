package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/backup"
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
		progress := newTransfer(os.Stderr)
		done, err := backup.Restore(ctx, nc, backup.Config{
			Dir: dir, Replicas: c.Int("replicas"), Wait: c.Duration("connect-timeout"), Progress: progress.moved,
		}, log)
		progress.end()
		if err != nil {
			return refusedBackup(err)
		}
		return printAnswer(c, backupRestored{done, dir})
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

// backupRestored is what `producer restore` prints.
type backupRestored struct {
	backup.Restored

	dir string
}

func (r backupRestored) render(w io.Writer) error {
	if err := writeStreams(w, r.Streams); err != nil {
		return err
	}
	p := newPage(w)
	p.blank()
	p.textf(0, "Restored %s: fleet %s as of %s.", r.dir, r.Fleet, r.Began.Format(instantLayout))
	if len(r.Present) > 0 {
		p.textf(0, "note: these were there already, as the backup has them: %s", strings.Join(r.Present, ", "))
	}
	if len(r.Forgotten) > 0 {
		p.textf(0, "note: these rounds were begun or forgotten while the backup was taken, and are not in it: %s",
			strings.Join(r.Forgotten, ", "))
	}
	if len(r.Reopened) > 0 {
		p.textf(0, "note: these outcomes were written while the backup was taken; producer run --resume ROUND concludes their rounds again: %s",
			strings.Join(r.Reopened, ", "))
	}
	return p.writeTo(w)
}
