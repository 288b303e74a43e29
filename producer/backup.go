package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/backup"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/terminal"
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

// takeBackup is `producer backup`.
func takeBackup(ctx context.Context, c *cli.Command) error {
	dir, err := backupDir(c)
	if err != nil {
		return err
	}
	return withNATS(ctx, c, openState, func(ctx context.Context, nc *nats.Conn, _ *slog.Logger) error {
		progress := newTransfer(os.Stderr)
		taken, err := backup.Take(ctx, nc, backup.Config{Dir: dir, Scores: c.Bool("scores"), Progress: progress.moved})
		progress.end()
		if err != nil {
			return refusedBackup(err)
		}
		return printAnswer(c, backupTaken{taken, dir})
	})
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

// backupTaken is what `producer backup` prints.
type backupTaken struct {
	backup.Manifest

	dir string
}

func (t backupTaken) render(w io.Writer) error {
	if err := writeStreams(w, t.Streams); err != nil {
		return err
	}
	p := newPage(w)
	p.blank()
	p.textf(0, "Backup %s of fleet %s, of %s, taken in %s.", t.dir, t.Fleet, t.Began.Format(instantLayout),
		brisk(t.Ended.Sub(t.Began).Seconds()))
	return p.writeTo(w)
}

// writeStreams lists the streams of a backup.
func writeStreams(w io.Writer, streams []backup.Stream) error {
	table := terminal.Table{Columns: []terminal.Column{{Title: "STREAM", Text: true, Whole: true}, {Title: "MESSAGES"}, {Title: "SIZE"}}}
	for i := range streams {
		s := &streams[i]
		table.Add(s.Name, strconv.FormatUint(s.Messages, 10), sized(s.Bytes))
	}
	return table.Write(w)
}

// sized is a number of bytes in a unit that is read at a glance.
func sized(bytes int64) string {
	size, units := float64(bytes), []string{"B", "kB", "MB", "GB"}
	for size >= 1000 && len(units) > 1 {
		size, units = size/1000, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}

// transfer shows how far a backup or a restore is: at a terminal a line that is
// written anew, elsewhere a line for each stream.
type transfer struct {
	out      io.Writer
	terminal bool
	stream   string
	bytes    int64
	drawn    time.Time
}

func newTransfer(out io.Writer) *transfer {
	return &transfer{out: out, terminal: terminal.Of(out).Width > 0}
}

// moved is a backup.Config's Progress.
func (t *transfer) moved(stream string, bytes int64) {
	if stream != t.stream {
		t.end()
		t.stream, t.drawn = stream, time.Time{}
	}
	t.bytes = bytes
	if now := time.Now(); t.terminal && now.Sub(t.drawn) >= redraw {
		t.drawn = now
		fmt.Fprintf(t.out, "\r\x1b[2K%s", t.line())
	}
}

// end writes the last line of a stream.
func (t *transfer) end() {
	switch {
	case t.stream == "":
	case t.terminal:
		fmt.Fprint(t.out, "\r\x1b[2K") // the table has it
	default:
		fmt.Fprintln(t.out, t.line())
	}
	t.stream = ""
}

func (t *transfer) line() string {
	return strings.TrimSpace(fmt.Sprintf("%-16s  %s", t.stream, sized(t.bytes)))
}
