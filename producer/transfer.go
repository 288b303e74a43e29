package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/backup"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
)

// backupJSON is --json of backup and restore, which have a format of their own.
func backupJSON() cli.Flag {
	return &cli.BoolFlag{
		Name:     "json",
		Category: groupOutput,
		Sources:  command.Env("json"),
		Usage:    "print the backup's manifest, or what the restore did, as JSON on standard output",
	}
}

// backupFlags say where local rounds are; local is the help text of --local.
func backupFlags(local string) []cli.Flag {
	return only(lookFlags(local), "local", "state")
}

// backupDir reads the directory of a backup, and checks that a server is given too.
func backupDir(c *cli.Command) (string, error) {
	dir := c.StringArg("dir")
	if dir == "" {
		return "", command.Usage("which directory? Give the backup's (%s --help shows the usage)", c.FullName())
	}
	return dir, natsGiven(c)
}

// refusedBackup makes wrong usage of a backup or of servers that were refused.
func refusedBackup(err error) error {
	if errors.Is(err, backup.ErrRefused) {
		return command.UsageError{Err: err}
	}
	return err
}

// withNATS runs do with a connection of its own. The connection does not reconnect: a
// transfer that lost messages in between would be incomplete, so it fails instead and
// is run again. open finds or starts the servers of a state directory.
func withNATS(ctx context.Context, c *cli.Command,
	open func(context.Context, string, *slog.Logger) (string, func() error, error),
	do func(context.Context, *nats.Conn, *slog.Logger) error,
) (err error) {
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	address := c.String("nats")
	files := fleet.NATSFiles(c)
	closeServers := func() error { return nil }
	if c.Bool("local") {
		files = jobstream.Files{}
		if address, closeServers, err = open(ctx, c.String("state"), log); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, closeServers()) }()
	nc, err := fleet.ConnectNATS(ctx, address, "producer-"+c.Name, jobstream.ConnectConfig{
		Wait:    c.Duration("connect-timeout"),
		Setting: "--connect-timeout",
		Log:     log,
		Files:   files,
		Options: []nats.Option{nats.NoReconnect()},
	})
	if err != nil {
		return err
	}
	defer nc.Close()
	return do(ctx, nc, log)
}
