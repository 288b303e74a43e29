package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
)

// withBus does something with the streams alone.
func withBus(ctx context.Context, c *cli.Command, do func(context.Context, *jobstream.Bus) error) (err error) {
	if err := natsGiven(c); err != nil {
		return err
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	bus, closeBus, err := openBus(ctx, c, log)
	if undeclared := neverRun(err); undeclared != nil {
		return command.Usage("there is no round yet: %w", undeclared)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus()) }()
	return do(ctx, bus)
}

// neverRun finds in an error that servers have none of the streams, because no producer
// has run on them; nil for any other error.
func neverRun(err error) error {
	if undeclared, is := errors.AsType[*jobstream.UndeclaredError](err); is && undeclared.All {
		return undeclared
	}
	return nil
}

// openBus connects to NATS: for a state directory to that of the process that
// runs on it, or to one of its own. It asks for nothing of the streams'
// settings: what exists stays as it is.
func openBus(ctx context.Context, c *cli.Command, log *slog.Logger) (*jobstream.Bus, func() error, error) {
	keys, err := keysOf(c)
	if err != nil {
		return nil, nil, err
	}
	address, files, closeServers := c.String("nats"), fleet.NATSFiles(c), func() error { return nil }
	if c.Bool("local") {
		files = jobstream.Files{}
		if address, closeServers, err = openState(ctx, c.String("state"), log); err != nil {
			return nil, nil, err
		}
	}
	wait := c.Duration("connect-timeout")
	nc, err := fleet.ConnectNATS(ctx, address, "producer-show", jobstream.ConnectConfig{
		Wait: wait, Setting: "--connect-timeout", Log: log, Files: files,
	})
	if err != nil {
		return nil, nil, errors.Join(err, closeServers())
	}
	closeAll := func() error { nc.Close(); return closeServers() }
	bus, err := fleet.OpenStreams(ctx, nc, jobstream.Config{Role: jobstream.RoleViewer, Keys: keys, Wait: wait, Log: log})
	if err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return bus, closeAll, nil
}

// openState is where NATS listens for a directory of local rounds: inside the
// process that runs on it, or started here for as long as it is read. One
// without streams is not made: there would be nothing to show.
func openState(ctx context.Context, dir string, log *slog.Logger) (address string, closeServers func() error, err error) {
	found, err := local.Find(dir)
	if err == nil {
		return found.NATS, func() error { return nil }, nil
	}
	if !errors.Is(err, local.ErrNotRunning) {
		return "", nil, command.Usage("--state: %w", err)
	}
	if err := session.HasRounds(dir); err != nil {
		return "", nil, err
	}
	servers, err := local.Start(ctx, local.Config{Dir: dir, Log: log})
	if err != nil {
		return "", nil, command.UsageError{Err: fmt.Errorf("--state: %w", err)}
	}
	return servers.NATSURL(), servers.Close, nil
}

// notThere makes wrong usage of what was asked for and is not there.
func notThere(err error) error {
	open, is := errors.AsType[*view.NotConcludedError](err)
	switch {
	case is && open.State == view.Stopped:
		return command.Usage("%w: producer run --resume %s resumes it", err, open.Round)
	case view.NotThere(err):
		return command.UsageError{Err: err}
	}
	return err
}

// printAnswer prints an answer: as JSON for a program, which producer/web/openapi.json
// describes, or as a page for a person.
func printAnswer[T any](c *cli.Command, answer T, render func(io.Writer, T) error) error {
	if c.Bool("json") {
		return page.JSON(c.Root().Writer, answer)
	}
	return render(c.Root().Writer, answer)
}
