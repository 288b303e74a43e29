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

// withBus runs do with the streams, opened read-only, for commands that need only NATS.
// Servers on which no producer has run are wrong usage and not a failure.
func withBus(ctx context.Context, c *cli.Command, do func(context.Context, *jobstream.Bus) error) error {
	return withLoggedBus(ctx, c, os.Stderr, do)
}

// withLoggedBus is withBus with another place for the log.
func withLoggedBus(
	ctx context.Context, c *cli.Command, lines io.Writer, do func(context.Context, *jobstream.Bus) error,
) (err error) {
	if err := natsGiven(c); err != nil {
		return err
	}
	log, err := fleet.Logger(c, lines)
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

// neverRun returns the error's *jobstream.UndeclaredError if the servers have none of
// the streams, which means that no producer has run on them; nil for any other error.
// Servers that have some of the streams are damaged: that is no case of this.
func neverRun(err error) error {
	if undeclared, is := errors.AsType[*jobstream.UndeclaredError](err); is && undeclared.All {
		return undeclared
	}
	return nil
}

// openBus connects to NATS and opens the streams as a viewer, which declares nothing
// and changes no setting. With --local it uses the NATS of the process that runs on the
// state directory, or starts one there. The closer closes both.
func openBus(ctx context.Context, c *cli.Command, log *slog.Logger) (*jobstream.Bus, func() error, error) {
	keys, err := keysOf(c)
	if err != nil {
		return nil, nil, err
	}
	address := c.String("nats")
	files := fleet.NATSFiles(c)
	closeServers := func() error { return nil }
	if c.Bool("local") {
		files = jobstream.Files{}
		if address, closeServers, err = openState(ctx, c.String("state"), log); err != nil {
			return nil, nil, err
		}
	}
	bus, closeBus, err := connectStreams(ctx, c, "producer-show", address, files, jobstream.Config{
		Role: jobstream.RoleViewer,
		Keys: keys,
		Log:  log,
	})
	if err != nil {
		return nil, nil, errors.Join(err, closeServers())
	}
	return bus, func() error { closeBus(); return closeServers() }, nil
}

// connectStreams connects to NATS under a name, waiting for --connect-timeout, and opens
// the streams. The closer closes the connection.
func connectStreams(
	ctx context.Context, c *cli.Command, name, address string, files jobstream.Files, cfg jobstream.Config,
) (bus *jobstream.Bus, closeBus func(), err error) {
	cfg.Wait = c.Duration("connect-timeout")
	nc, err := fleet.ConnectNATS(ctx, address, name, jobstream.ConnectConfig{
		Wait:    cfg.Wait,
		Setting: "--connect-timeout",
		Log:     cfg.Log,
		Files:   files,
	})
	if err != nil {
		return nil, nil, err
	}
	if bus, err = fleet.OpenStreams(ctx, nc, cfg); err != nil {
		nc.Close()
		return nil, nil, err
	}
	return bus, nc.Close, nil
}

// openState returns the address of NATS for a directory of local rounds: that of the
// process that runs on it, or of servers that are started here until closeServers. A
// directory without streams is refused and not made, because it has nothing to show.
// A producer that starts between the two looks makes Start fail with its name.
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

// notThere makes wrong usage of what was asked for and does not exist. For a round that
// was stopped before its outcome it adds the command that resumes it.
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

// printAnswer prints an answer as JSON for a program or as a page for a person. The
// JSON is that of the API, which producer/web/openapi.json describes.
func printAnswer[T any](c *cli.Command, answer T, render func(io.Writer, T) error) error {
	if c.Bool("json") {
		return page.JSON(c.Root().Writer, answer)
	}
	return render(c.Root().Writer, answer)
}
