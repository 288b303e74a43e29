package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/mirrorsim"
)

const description = `Serves a world like the mirror, until SIGINT or SIGTERM, and writes the two files
that a round over it needs. One line of JSON on standard output has the addresses:

  {"url":"http://127.0.0.1:40123","miners":"DIR/miners.json",
   "registry":"DIR/master_repositories.json","as_of":"2026-06-18T18:54:00Z"}

Worlds:
  demo       a recorded case that is built in: 24 miners and 6 repositories,
             with an instance of every rule
  git:DIR,…  the pull requests of git histories (work trees or bare): squash
             commits titled "… (#N)" and merge commits "Merge pull request #N
             from …". Pull requests that lie further back than the lookback of
             90 days are moved into it, in proportion, each repository by itself
             (--git-keep-dates leaves them where they are)
  case:FILE  one round of a recorded case (.json, .json.gz, .json.zst)

GET /sim/stats shows the simulator's counts; POST /sim/reset sets them to 0. Neither request is counted.

Examples:
  mirrorsim --addr 127.0.0.1:8080 --write /tmp/world
  mirrorsim --world git:../chi,../cobra \
      --latency lognormal:80ms,0.5 --fault 5xx=0.02
  mirrorsim --world case:round.json.zst --case-round 1 --limit 0`

// ready is the line of JSON on standard output.
type ready struct {
	URL      string    `json:"url"`
	Miners   string    `json:"miners"`
	Registry string    `json:"registry"`
	AsOf     time.Time `json:"as_of"`
}

// newCommand is the command on the given streams; standard input is read only
// with --exit-with-stdin.
func newCommand(stdin io.Reader, stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:            "mirrorsim",
		Usage:           "a simulated mirror behind the real one's limit",
		Description:     description,
		Flags:           flags(),
		HideHelpCommand: true,
		Writer:          stdout,
		ErrWriter:       stderr,
		// A comma belongs to values here: git:DIR,DIR and uniform:1ms,2ms.
		DisableSliceFlagSeparator: true,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return serve(ctx, cmd, stdin, stdout, slog.New(slog.NewTextHandler(stderr, nil)))
		},
	}
}

// serve makes the world, announces the server and waits for the end.
func serve(ctx context.Context, cmd *cli.Command, stdin io.Reader, stdout io.Writer, log *slog.Logger) (err error) {
	cfg, err := settings(cmd)
	if err != nil {
		return err
	}
	world, err := makeWorld(ctx, cmd)
	if err != nil {
		return stopped(ctx, err)
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	cfg.World = world
	// The server ends by Close alone, so that answers under way are finished.
	server, err := mirrorsim.Start(context.WithoutCancel(ctx), cfg)
	if err != nil {
		return startError(cfg.Addr, err)
	}
	defer func() { err = errors.Join(err, server.Close()) }() //nolint:contextcheck // ends in its own time, after ctx has ended
	if err := announce(stdout, server, world, cmd.String("write")); err != nil {
		return err
	}
	log.InfoContext(ctx, "serving", "world", world.Name, "miners", len(world.Miners), "pull_requests", world.Size(), "url", server.URL)
	select {
	case <-ctx.Done():
	case <-ended(cmd.Bool("exit-with-stdin"), stdin):
	}
	stats := server.Stats()
	log.InfoContext(ctx, "served", "requests", stats.Requests, "over_limit", stats.OverLimit, "connections", stats.Connections.Used)
	return nil
}

// announce writes the files and the line of JSON.
func announce(stdout io.Writer, server *mirrorsim.Server, world *mirrorsim.World, dir string) error {
	line := ready{URL: server.URL, AsOf: world.AsOf}
	if dir != "" {
		var err error
		if line.Miners, line.Registry, err = world.Write(dir); err != nil {
			return command.Usage("--write %s: %w", dir, err)
		}
	}
	if err := json.NewEncoder(stdout).Encode(line); err != nil {
		return fmt.Errorf("announcing the address: %w", err)
	}
	return nil
}

// startError distinguishes an address in use from a wrong one. Both are wrong usage.
func startError(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return command.Usage("--addr %s: address in use by another process; want a free one, or port 0 for any (%w)", addr, err)
	}
	return command.Usage("--addr %s: want HOST:PORT of this machine: %w", addr, err)
}

// stopped distinguishes a signal while the world was made from a failure.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return command.ErrInterrupted
	}
	return err
}

// ended is closed when the input ends. A parent that is killed cannot stop its simulator,
// but the kernel closes the pipe. The reading goroutine ends with the input, or with the
// process.
func ended(wanted bool, stdin io.Reader) <-chan struct{} {
	done := make(chan struct{})
	if !wanted {
		return done
	}
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, stdin) // an error is an end too
	}()
	return done
}
