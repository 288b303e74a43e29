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

func backupJSON() cli.Flag {
	return &cli.BoolFlag{
		Name: "json", Category: groupOutput, Sources: command.Env("json"),
		Usage: "print the backup's manifest, and what a restore did, as JSON on standard output",
	}
}

// backupFlags say where local rounds are.
func backupFlags(local string) []cli.Flag {
	return only(lookFlags(local), "local", "state")
}

// backupDir is the directory of a backup, with a server to go with it.
func backupDir(c *cli.Command) (string, error) {
	dir := c.StringArg("dir")
	if dir == "" {
		return "", command.Usage("which directory? Give the backup's (%s --help shows the usage)", c.FullName())
	}
	return dir, natsGiven(c)
}

// refusedBackup makes wrong input of what was refused.
func refusedBackup(err error) error {
	if errors.Is(err, backup.ErrRefused) {
		return command.UsageError{Err: err}
	}
	return err
}

// withNATS does something with a connection of its own, which is not made again
// when it is lost. open starts or finds the servers of a state directory.
func withNATS(ctx context.Context, c *cli.Command,
	open func(context.Context, string, *slog.Logger) (string, func() error, error),
	do func(context.Context, *nats.Conn, *slog.Logger) error,
) (err error) {
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	address, files, closeServers := c.String("nats"), fleet.NATSFiles(c), func() error { return nil }
	if c.Bool("local") {
		files = jobstream.Files{}
		if address, closeServers, err = open(ctx, c.String("state"), log); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, closeServers()) }()
	nc, err := fleet.ConnectNATS(ctx, address, "producer-"+c.Name, jobstream.ConnectConfig{
		Wait: c.Duration("connect-timeout"), Setting: "--connect-timeout", Log: log, Files: files, Options: []nats.Option{nats.NoReconnect()},
	})
	if err != nil {
		return err
	}
	defer nc.Close()
	return do(ctx, nc, log)
}
